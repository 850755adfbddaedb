//! The section `[letters.encryption]`: by which names keys go, and where they are. The keys themselves are read at the start.

use std::path::PathBuf;

use fuseboard_store::SealingKey;

use super::document::{Item, Section};
use super::{ConfigError, Encryption, KeySetting, KeySource};

const KEYS: &[&str] = &["key_id", "key_file", "key_env", "previous", "lost"];
const KEY: &[&str] = &["key_id", "key_file", "key_env"];
const NAME: &str = "a name for the key, of 1 to 64 letters, digits, `.`, `_` and `-`";

pub(super) fn read(letters: &Section<'_>) -> Result<Encryption, ConfigError> {
    let mut encryption = Encryption::default();
    let Some(item) = letters.get("encryption") else { return Ok(encryption) };
    let section = item.section(KEYS)?;
    encryption.current = match KEY.iter().any(|key| section.get(key).is_some()) {
        true => Some(key(&section)?),
        false => None,
    };
    if let Some(item) = section.get("previous") {
        let example = "a list such as [{ key_id = \"2026-10\", key_file = \"2026-10.key\" }]";
        for item in item.list(example)? {
            let key = key(&item.clone().section(KEY)?)?;
            if encryption.keys().any(|other| other.id == key.id) {
                return Err(item.refuse_value(&key.id, "expected each key once"));
            }
            encryption.previous.push(key);
        }
    }
    if let Some(item) = section.get("lost") {
        for item in item.list("a list such as [\"2026-09\"]")? {
            encryption.lost.push(name(&item)?);
        }
    }
    if encryption == Encryption::default() {
        return Err(section.item().refuse_secret("expected key_id, with key_file or key_env"));
    }
    Ok(encryption)
}

fn key(section: &Section<'_>) -> Result<KeySetting, ConfigError> {
    let id = name(&section.need("key_id", NAME)?)?;
    let source = match (section.get("key_file"), section.get("key_env")) {
        (Some(_), Some(variable)) => {
            return Err(variable.refuse("expected key_file or key_env, not both"));
        }
        (None, Some(variable)) => KeySource::Variable(variable.variable()?),
        (file, None) => {
            const FILE: &str = "the path of a file with the key in it";
            let file = file.map_or_else(|| section.need("key_file", FILE), Ok)?;
            let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
            KeySource::File(file.parsed(FILE, path)?)
        }
    };
    Ok(KeySetting { id, source })
}

fn name(item: &Item<'_>) -> Result<String, ConfigError> {
    item.parsed(NAME, |text| SealingKey::may_be_called(text).then(|| text.to_owned()))
}
