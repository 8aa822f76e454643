//! Takes a text apart at its YAML documents, so that each can be read as what its `kind` says.

/// The documents of a text. Each has empty lines in place of what stands before it, so that its
/// places are those of the whole text. Documents of blanks and comments are left out.
pub(crate) fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (lines_before, line) in text.split_inclusive('\n').enumerate() {
        // A line that starts so is never inside a scalar (YAML 1.2.2, section 9.1.2).
        if is_marker(line, "---") || is_marker(line, "...") {
            documents.push("\n".repeat(lines_before));
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(line);
        }
    }
    documents.retain(|document| !is_empty(document));
    documents
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_empty(document: &str) -> bool {
    document.lines().all(|line| {
        let line = line.trim_start_matches('\u{feff}').trim();
        let line = match is_marker(line, "---") || is_marker(line, "...") {
            true => line[3..].trim_start(),
            false => line,
        };
        line.is_empty() || line.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_places() {
        let text =
            "# a comment\n---\na: 1\n--- # again\nb: |\n  ---\n...\n---\n# nothing\n--- {c: 1}\n";
        let found = documents(text);
        assert_eq!(
            found,
            [
                "\n---\na: 1\n",
                "\n\n\n--- # again\nb: |\n  ---\n",
                "\n\n\n\n\n\n\n\n\n--- {c: 1}\n"
            ]
        );
        assert_eq!(documents("# only\n\n# comments\n"), [""; 0]);
        assert_eq!(documents("a: 1"), ["a: 1"]);
        assert_eq!(documents("---x: 1").len(), 1);
    }
}
