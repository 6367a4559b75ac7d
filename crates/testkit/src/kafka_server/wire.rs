//! One request of Kafka's protocol: enough to know that a broker is up, without a client library.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long one answer may take; it is asked again.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// A metadata request, version 4, for no topic: its length, its kind (3), the version, a number, the client's name, an
/// empty list of topics, and that none is to be made.
const METADATA: [u8; 23] = [
    0, 0, 0, 19, 0, 3, 0, 4, 0, 0, 0, 1, 0, 4, b't', b'e', b's', b't', 0, 0, 0, 0, 0,
];

/// Where the answer has the number of brokers: after its length, the request's number and the throttle time.
const BROKERS: std::ops::Range<usize> = 12..16;

/// True when the broker at this port answers and knows of a broker, which is itself.
pub(super) fn has_brokers(port: u16) -> bool {
    ask(port).is_ok_and(|brokers| brokers > 0)
}

fn ask(port: u16) -> std::io::Result<u32> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.write_all(&METADATA)?;
    let mut answer = [0; BROKERS.end];
    stream.read_exact(&mut answer)?;
    let count = answer[BROKERS]
        .iter()
        .fold(0, |count, byte| count << 8 | u32::from(*byte));
    Ok(count)
}
