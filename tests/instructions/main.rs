//! The program whose instructions are counted: with a case's name it works that case, with none it names all of them and how
//! many messages each works on.

mod case;
mod decide;
mod decode;
mod encode;
mod given;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cases = || encode::CASES.into_iter().chain(decode::CASES).chain(decide::CASES);
    let Some(name) = std::env::args().nth(1) else {
        cases().for_each(|case| println!("{} {}", case.name, case::MESSAGES));
        return ExitCode::SUCCESS;
    };
    let Some(case) = cases().find(|case| case.name == name) else {
        eprintln!("instructions: there is no case `{name}`; without an argument all cases are named");
        return ExitCode::FAILURE;
    };
    case.work();
    ExitCode::SUCCESS
}
