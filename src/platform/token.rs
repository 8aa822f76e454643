//! The tokens at the doors: given to the process, or in files that may change.

use std::path::Path;

use anyhow::{Context as _, bail};
use dormouse_contract::door::Token;

use super::PlatformArgs;
use super::secret_file::SecretFile;

/// The token that clients are asked for, if there is one; a file is followed from now on.
pub fn load(args: &PlatformArgs, given: Option<String>) -> anyhow::Result<Option<Token>> {
    let given = given.filter(|token| !token.is_empty());
    let Some(path) = &args.token_file else {
        return Ok(given.map(Token::from));
    };
    if given.is_some() {
        bail!(
            "there are two tokens, one in DORMOUSE_TOKEN (or --token) and one in the file {}: \
             leave one of them out",
            path.display()
        );
    }
    follow(args, path, "the token").map(Some)
}

/// The token by which Brokers may send events, if there is one; its file is followed from now on.
pub fn of_brokers(args: &PlatformArgs) -> anyhow::Result<Option<Token>> {
    let path = args.broker_token_file.as_deref();
    path.map(|path| follow(args, path, "the token of Brokers"))
        .transpose()
}

fn follow(args: &PlatformArgs, path: &Path, what: &str) -> anyhow::Result<Token> {
    let file = SecretFile::read(path, what)?;
    let token: Token = parse(file.text())
        .with_context(|| format!("{what} in {} is wrong", path.display()))?
        .into();
    let followed = token.clone();
    let overlap = args.token_overlap;
    tokio::spawn(file.follow(move |text| {
        // A file that only looks different has the token that is asked for already.
        let _ = followed.replace(parse(text)?, overlap);
        Ok(())
    }));
    Ok(token)
}

fn parse(text: &str) -> anyhow::Result<String> {
    let token = text.trim();
    if token.is_empty() {
        bail!("the file is empty: write the token into it");
    }
    if token.chars().any(char::is_control) {
        bail!("the file has more than one line: a token is one");
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line() {
        assert_eq!(parse("secret words\n").unwrap(), "secret words");
        for text in ["", "\n", "a\nb", "a\0"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
