//! The bearer token: given to the process, or in a file that may change.

use anyhow::{Context as _, bail};
use dormouse_contract::door::Token;

use super::PlatformArgs;
use super::secret_file::SecretFile;

/// What the file holds, for people.
const WHAT: &str = "the token";

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
    let file = SecretFile::read(path, WHAT)?;
    let token = parse(file.text())
        .with_context(|| format!("the token in {} is wrong", path.display()))?
        .into();
    let followed = Token::clone(&token);
    let overlap = args.token_overlap;
    tokio::spawn(file.follow(move |text| {
        // A file that only looks different has the token that is asked for already.
        let _ = followed.replace(parse(text)?, overlap);
        Ok(())
    }));
    Ok(Some(token))
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
