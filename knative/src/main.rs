//! The operator's program.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dormouse_operator::crd;

/// Runs Dormouse on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "dormouse-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the CustomResourceDefinitions, or write them to files of a folder.
    Crds {
        /// The folder.
        folder: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let written = match Arguments::parse().command {
        Command::Crds { folder: None } => {
            print!("{}", crd::yaml());
            Ok(())
        }
        Command::Crds {
            folder: Some(folder),
        } => crd::write_to(&folder),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the definitions cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
