//! From event source documents to the sources that the coordinator serves.

use std::path::Path;

use dormouse_coordinator::{Coordinator, SourceDeclaration};
use dormouse_pool::{DeclaredSource, Loaded, read_secret, with_secrets};
use dormouse_source::{Kind, Source};

/// One event source, for people.
pub struct SourceOutcome {
    /// Its name.
    pub name: String,
    /// What it listens to, or why it cannot work.
    pub what: Result<String, String>,
}

/// Brings the sources in line with the files. What did not change is left alone.
pub fn serve(loaded: &Loaded, data_dir: &Path, coordinator: &Coordinator) -> Vec<SourceOutcome> {
    let sources = coordinator.sources();
    let mut outcomes = Vec::with_capacity(loaded.sources.len());
    for file in &loaded.sources {
        let declaration = declare(&file.source, data_dir);
        let name = declaration.name.clone();
        outcomes.push(SourceOutcome {
            name: name.clone(),
            what: declaration
                .source
                .as_ref()
                .map(describe)
                .map_err(Clone::clone),
        });
        if sources.put(declaration) {
            for field in file.source.not_honoured_locally() {
                tracing::info!(source = name, "not honoured here: {field}");
            }
        }
    }
    // A file that cannot be read now may be half written: only what is gone is taken out.
    if loaded.errors.is_empty() {
        sources.keep_only(|name| outcomes.iter().any(|outcome| outcome.name == name));
    }
    outcomes
}

fn declare(declared: &DeclaredSource, data_dir: &Path) -> SourceDeclaration {
    let source = declared.source.clone();
    let (name, word) = (source.name.clone(), source.word());
    let inherited = |name: &str| std::env::var(name).ok();
    let source = with_secrets(source, inherited, |secret| read_secret(data_dir, secret));
    SourceDeclaration {
        name,
        word,
        source: source.map_err(|error| error.to_string()),
    }
}

fn describe(source: &Source) -> String {
    match &source.kind {
        Kind::Webhook(_) => format!("POST /webhooks/{}", source.name),
        Kind::Schedule(schedule) => format!("{} ({})", schedule.cron, schedule.zone),
    }
}
