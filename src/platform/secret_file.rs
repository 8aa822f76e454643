//! Secrets that are files, read again when they change.
//!
//! What is compared is what the file says. So it does not matter how it is replaced: written in
//! place, renamed over, or by a symbolic link above it, as Kubernetes swaps the `..data` of a mounted
//! Secret, which changes neither the file's folder nor its name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

/// How often a file is read. A kubelet takes up to a minute or so to bring a new one.
const LOOK: Duration = Duration::from_secs(2);

/// A file and what it said last.
pub struct SecretFile {
    path: PathBuf,
    text: String,
    /// Why it could not be used, when that was told already.
    told: Option<String>,
}

impl SecretFile {
    /// Reads it; `what` is what is in it, for people.
    pub fn read(path: &Path, what: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {what} in {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            text,
            told: None,
        })
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Hands over what it says whenever that is something else. What cannot be read or used is told
    /// in the log, and what was read before stays. Never returns.
    pub async fn follow(mut self, mut adopt: impl FnMut(&str) -> anyhow::Result<()>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let read = tokio::fs::read_to_string(&self.path).await;
            let read = read.with_context(|| "it cannot be read");
            self.look(read, &mut adopt);
        }
    }

    fn look(
        &mut self,
        read: anyhow::Result<String>,
        adopt: &mut impl FnMut(&str) -> anyhow::Result<()>,
    ) {
        let adopted = match read {
            Ok(text) if text == self.text => Ok(None),
            Ok(text) => adopt(&text).map(|()| Some(text)),
            Err(error) => Err(error),
        };
        let file = self.path.display();
        match adopted {
            Ok(None) => self.told = None,
            Ok(Some(text)) => {
                (self.text, self.told) = (text, None);
                tracing::info!(%file, "the secret has changed, and is used from now on");
            }
            Err(error) => {
                let why = format!("{error:#}");
                if self.told.as_ref() != Some(&why) {
                    tracing::warn!(%file, why, "the secret cannot be used; the one before stays");
                    self.told = Some(why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn only_news_that_can_be_used_are_adopted() {
        let mut file = SecretFile {
            path: PathBuf::new(),
            text: "a".to_owned(),
            told: None,
        };
        let mut adopted = Vec::new();
        let mut adopt = |text: &str| match text {
            "" => bail!("empty"),
            text => {
                adopted.push(text.to_owned());
                Ok(())
            }
        };
        for read in ["a", "b", "b", "", "b", "a"] {
            file.look(Ok(read.to_owned()), &mut adopt);
            assert_eq!(file.told.is_some(), read.is_empty());
        }
        file.look(Err(anyhow::anyhow!("gone")), &mut adopt);
        assert!(file.told.is_some());
        assert_eq!(file.text(), "a");
        assert_eq!(adopted, ["b", "a"]);
    }
}
