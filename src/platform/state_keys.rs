//! The keys that seal what modern clients carry between a question and its answer.
//!
//! A file of one key a line, 64 hexadecimal digits each: the first seals, all of them open. It is
//! made at the first start. To rotate, put a new key above the others, and take the old one out when
//! no question is open any more.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use dormouse_gateway::Keys;

use super::secret_file::SecretFile;

/// What the file holds, for people.
const WHAT: &str = "the state keys";

/// Reads the keys from `file`, which is made with a random one where it is absent, and follows it
/// from now on.
pub fn load(file: &Path) -> anyhow::Result<Keys> {
    let (keys, file) = read(file)?;
    let followed = keys.clone();
    tokio::spawn(file.follow(move |text| {
        followed.replace(&parse(text)?);
        Ok(())
    }));
    Ok(keys)
}

fn read(path: &Path) -> anyhow::Result<(Keys, SecretFile)> {
    if !path.try_exists().unwrap_or(true) {
        create(path).with_context(|| format!("cannot make {WHAT} in {}", path.display()))?;
    }
    let file = SecretFile::read(path, WHAT)?;
    let keys =
        parse(file.text()).with_context(|| format!("{WHAT} in {} are wrong", path.display()))?;
    Ok((keys, file))
}

/// Written beside and renamed: a start that dies here leaves no file without a key behind.
fn create(file: &Path) -> std::io::Result<()> {
    let key: [u8; 32] = rand::random();
    let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    let partial = file.with_extension("partial");
    // What such a start left has its mode from then.
    if let Err(error) = std::fs::remove_file(&partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    std::fs::rename(&partial, file)
}

fn parse(text: &str) -> anyhow::Result<Keys> {
    let mut keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(key);
    let Some(newest) = keys.next() else {
        bail!("there is none: delete the file to have one made");
    };
    Ok(Keys::new(newest?, keys.collect::<Result<Vec<_>, _>>()?))
}

fn key(line: &str) -> anyhow::Result<[u8; 32]> {
    let digits = line.as_bytes();
    let mut key = [0; 32];
    if digits.len() != 64 || !line.is_ascii() {
        bail!(
            "a key has 64 hexadecimal digits, one of these has {}",
            digits.len()
        );
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair)?;
        *byte = u8::from_str_radix(pair, 16).context("a key has other than hexadecimal digits")?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.keys");
        read(&file).unwrap();
        let made = std::fs::read_to_string(&file).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        read(&file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), made);
        std::fs::write(&file, format!("{}\n\n{made}", "ab".repeat(32))).unwrap();
        assert_eq!(format!("{:?}", read(&file).unwrap().0), "Keys(2)");
    }

    #[test]
    fn wrong_keys_are_told() {
        for text in ["", "abc", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
