//! One request of Kafka's protocol and its answer: enough to know that a broker is up, without a client library, and to have one say that it is not.

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

/// The kind of the requests that ask about topics and brokers.
const ASKS_ABOUT_TOPICS: u16 = 3;

/// The kind of the requests that read.
const READS: u16 = 1;

/// True for a request that reads.
pub(super) fn reads(request: &[u8]) -> bool {
    request.starts_with(&READS.to_be_bytes())
}

/// The first version of their answers in which lengths are of variable size and every part ends with tags.
const COMPACT: u16 = 9;

/// The number of a request, and its version, when it asks about topics.
pub(super) fn asks_about_topics(request: &[u8]) -> Option<([u8; 4], u16)> {
    let mut rest = request;
    let kind = u16::from_be_bytes(take(&mut rest)?);
    let version = u16::from_be_bytes(take(&mut rest)?);
    (kind == ASKS_ABOUT_TOPICS).then_some((take(&mut rest)?, version))
}

/// An answer to such a request, but for its brokers.
///
/// # Panics
/// When it is not one of the versions that clients of today ask for.
pub(super) fn without_brokers(answer: &[u8], version: u16) -> Vec<u8> {
    assert!(version >= COMPACT, "an answer of version {version}");
    match cut_brokers_out(answer) {
        Some(answer) => answer,
        None => panic!("an answer that can't be read: {answer:?}"),
    }
}

/// After the request's number, the header's tags (none) and the throttle time come the brokers: their number, and each with its id, host, port, rack and tags.
fn cut_brokers_out(answer: &[u8]) -> Option<Vec<u8>> {
    const HEAD: usize = 4 + 1 + 4;
    let (head, mut rest) = answer.split_at_checked(HEAD)?;
    // Numbers of parts are one more than they are; zero is "not there".
    for _ in 1..varint(&mut rest)? {
        skip(&mut rest, 4)?;
        skip_text(&mut rest)?;
        skip(&mut rest, 4)?;
        skip_text(&mut rest)?;
        let tags = varint(&mut rest)?;
        assert_eq!(tags, 0, "a broker with tags");
    }
    let mut without = head.to_vec();
    without.push(1);
    without.extend_from_slice(rest);
    Some(without)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn skip(rest: &mut &[u8], bytes: usize) -> Option<()> {
    *rest = rest.get(bytes..)?;
    Some(())
}

fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let length = varint(rest)?.saturating_sub(1);
    skip(rest, length)
}

/// Seven bits in a byte, the lowest first; the eighth says that there are more.
fn varint(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let [byte] = take(rest)?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_loses_its_brokers_and_nothing_else() {
        let head = [0, 0, 0, 7, 0, 0, 0, 0, 0];
        let broker = [0, 0, 0, 1, 3, b'a', b'b', 0, 0, 35, 132, 0, 0];
        let topics = [2, 9, 9, 9];
        let answer = [&head[..], &[3], &broker, &broker, &topics].concat();
        assert_eq!(
            without_brokers(&answer, 12),
            [&head[..], &[1], &topics].concat()
        );
    }

    #[test]
    fn only_requests_about_topics_are_noted() {
        let request = [0, 3, 0, 12, 1, 2, 3, 4, 9];
        assert_eq!(asks_about_topics(&request), Some(([1, 2, 3, 4], 12)));
        assert_eq!(asks_about_topics(&METADATA[6..]), None);
        assert!(reads(&[0, 1, 0, 12, 1, 2, 3, 4, 9]) && !reads(&request));
    }
}
