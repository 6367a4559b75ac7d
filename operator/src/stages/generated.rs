//! Secrets whose values the operator makes itself, once. What they hold is made when they are first applied, never when they are built, so that
//! the same spec builds the same children.

use std::collections::BTreeMap;

/// A Secret whose missing keys are made when it is applied. A key that is there is never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedSecret {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Owned by the pipeline, or kept when that is deleted, because data that is kept can't be read without it.
    pub ownership: Ownership,
    /// Its keys. They are made in this order.
    pub keys: Vec<(&'static str, Generator)>,
}

/// Whether Kubernetes deletes an object together with the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It goes with the pipeline.
    Owned,
    /// It stays, and a pipeline of the same name finds it again.
    Kept,
}

/// How a value is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// 160 random bits in letters and digits, safe wherever a password is written.
    Password,
    /// The id of a Kafka cluster: 128 random bits as Kafka writes them. A cluster that is known keeps its id, whatever became of the Secret.
    KafkaClusterId {
        /// The id in the status.
        known: Option<String>,
    },
    /// A text around the value of another key.
    Around {
        /// What comes before it.
        before: &'static str,
        /// The other key, which stands earlier in the list.
        key: &'static str,
        /// What comes after it.
        after: &'static str,
    },
}

impl GeneratedSecret {
    /// The values of the keys that are not there yet. `random` fills its argument with random bytes.
    pub fn missing(
        &self,
        existing: &BTreeMap<String, String>,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> BTreeMap<String, String> {
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        for (key, generator) in &self.keys {
            if existing.contains_key(*key) {
                continue;
            }
            let value = match generator {
                Generator::Password => password(random),
                Generator::KafkaClusterId { known: Some(known) } => known.clone(),
                Generator::KafkaClusterId { known: None } => cluster_id(random),
                Generator::Around { before, key, after } => {
                    let inner = existing.get(*key).or_else(|| made.get(*key));
                    format!("{before}{}{after}", inner.map_or("", String::as_str))
                }
            };
            made.insert((*key).to_owned(), value);
        }
        made
    }
}

/// Letters and digits that nobody confuses: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

fn password(random: &mut dyn FnMut(&mut [u8])) -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}

/// The alphabet of base64 for URLs.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 16 bytes in base64 for URLs, without padding: Kafka's `Uuid`.
fn cluster_id(random: &mut dyn FnMut(&mut [u8])) -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    // Version and variant of a random UUID. They also keep the id from being one of those that Kafka reserves.
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    // An id that begins with `-` would be taken for an option by Kafka's tools.
    bytes[0] &= 0x7f;
    let number = u128::from_be_bytes(bytes);
    // 21 groups of six bits from the top, then the two bits that are left, shifted to the top of a group.
    let mut groups: Vec<u128> = (0..21).map(|index| number >> (122 - 6 * index)).collect();
    groups.push(number << 4);
    groups
        .into_iter()
        .map(|group| char::from(BASE64[usize::try_from(group & 63).unwrap_or_default()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{GeneratedSecret, Generator, Ownership};

    fn secret(keys: Vec<(&'static str, Generator)>) -> GeneratedSecret {
        GeneratedSecret {
            name: "s".to_owned(),
            labels: BTreeMap::new(),
            ownership: Ownership::Kept,
            keys,
        }
    }

    #[test]
    fn values_are_made_once_and_those_that_are_there_are_kept() {
        let wanted = secret(vec![
            ("password", Generator::Password),
            (
                "users",
                Generator::Around {
                    before: "user default on >",
                    key: "password",
                    after: " +@all\n",
                },
            ),
        ]);
        let mut seed = 0;
        let mut random = |bytes: &mut [u8]| {
            for byte in bytes {
                seed = (seed * 7 + 3) % 251;
                *byte = u8::try_from(seed).unwrap();
            }
        };
        let first = wanted.missing(&BTreeMap::new(), &mut random);
        assert_eq!(first["password"].len(), 32);
        assert_eq!(
            first["users"],
            format!("user default on >{} +@all\n", first["password"])
        );
        assert!(wanted.missing(&first, &mut random).is_empty());
        let known = BTreeMap::from([("password".to_owned(), "mine".to_owned())]);
        let rest = wanted.missing(&known, &mut random);
        assert_eq!(
            rest,
            BTreeMap::from([(
                "users".to_owned(),
                "user default on >mine +@all\n".to_owned()
            )])
        );
    }

    #[test]
    fn a_cluster_that_is_known_keeps_its_id_and_a_new_one_has_the_form_that_kafka_wants() {
        let known = secret(vec![(
            "cluster-id",
            Generator::KafkaClusterId {
                known: Some("abc".to_owned()),
            },
        )]);
        assert_eq!(
            known.missing(&BTreeMap::new(), &mut |_| ())["cluster-id"],
            "abc"
        );
        let new = secret(vec![(
            "cluster-id",
            Generator::KafkaClusterId { known: None },
        )]);
        let id = &new.missing(&BTreeMap::new(), &mut |bytes| bytes.fill(0xff))["cluster-id"];
        assert_eq!(id, "f_______T_-__________w");
        let zero = &new.missing(&BTreeMap::new(), &mut |bytes| bytes.fill(0))["cluster-id"];
        assert_eq!(zero, "AAAAAAAAQACAAAAAAAAAAA");
    }
}
