//! `donjon templates`: check, render.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use donjon_html::locale::LocaleSettings;
use donjon_html::template::{
    Escape, Folder, Lint, Loader, LoadingError, TemplateOptions, Templates, Value, Variables, lint,
};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Says everything that is wrong in the templates, and what is better not done.
    Check(Check),
    /// Renders a template with a context from a JSON file.
    Render(Render),
}

#[derive(Args)]
struct Place {
    /// A folder of templates; of several, the first that has a template gives it.
    #[arg(long = "templates", value_name = "DIR", default_value = "templates")]
    folders: Vec<PathBuf>,
    /// Templates whose names begin with this escape as Django does: all, with an empty text.
    #[arg(long = "escape-as-django", value_name = "PREFIX")]
    as_django: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fails if anything is better not done, too.
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

#[derive(Args)]
pub(crate) struct Render {
    /// The template's name; with `#partial`, a part of it.
    name: String,
    /// A JSON object whose keys are the variables; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// The language of the page: `de`, `pt-br`.
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// A folder of catalogues: `LANGUAGE/LC_MESSAGES/*.po` or `.mo`.
    #[arg(long = "locale", value_name = "DIR")]
    locales: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Action {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self {
            Self::Check(check) => check.run(),
            Self::Render(render) => render.run(),
        };
        done.unwrap_or_else(|message| {
            eprintln!("{message}");
            ExitCode::FAILURE
        })
    }
}

type Done = Result<ExitCode, String>;

impl Place {
    fn loader(&self) -> Vec<Box<dyn Loader>> {
        self.folders.iter().map(|path| Box::new(Folder::new(path)) as Box<dyn Loader>).collect()
    }

    fn options(&self) -> TemplateOptions {
        let options = TemplateOptions::new();
        self.as_django
            .iter()
            .fold(options, |options, prefix| options.danger_escape_as_django(prefix))
    }

    fn escape(&self, name: &str) -> Escape {
        match self.as_django.iter().any(|prefix| name.starts_with(&**prefix)) {
            true => Escape::Django,
            false => Escape::Contextual,
        }
    }
}

impl Check {
    fn run(self) -> Done {
        let loader = self.place.loader();
        let sources = loader.sources().map_err(|error| error.to_string())?;
        let loaded = Templates::load(&loader, self.place.options());
        let lints: Vec<Lint> = sources
            .iter()
            .flat_map(|(name, source)| lint(name, source, self.place.escape(name)))
            .collect();
        let errors = match &loaded {
            Err(error @ LoadingError::Unreadable(_)) => return Err(error.to_string()),
            Err(LoadingError::Wrong(errors)) => errors.iter().collect(),
            Ok(_) => Vec::new(),
        };
        let text = match self.format {
            Format::Json => json(&errors, &lints),
            Format::Human => human(sources.len(), &errors, &lints),
        };
        io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())?;
        let fails = !errors.is_empty() || self.deny_warnings && !lints.is_empty();
        Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

type Errors<'e> = [&'e donjon_html::template::TemplateError];

fn human(count: usize, errors: &Errors<'_>, lints: &[Lint]) -> String {
    let mut text = String::new();
    for error in errors {
        text.push_str(&format!("error: {error}\n"));
    }
    for lint in lints {
        text.push_str(&format!("warning: {lint}\n"));
    }
    text.push_str(&format!(
        "{count} templates, {} errors, {} warnings\n",
        errors.len(),
        lints.len()
    ));
    text
}

fn json(errors: &Errors<'_>, lints: &[Lint]) -> String {
    let errors = errors.iter().map(|error| {
        serde_json::json!({
            "level": "error", "template": error.template(), "line": error.line(), "column": error.column(),
            "message": error.message(), "hint": error.hint(), "source": error.source_line(),
        })
    });
    let lints = lints.iter().map(|lint| {
        serde_json::json!({
            "level": "warning", "code": lint.code().code(), "template": lint.template(), "line": lint.line(),
            "column": lint.column(), "message": lint.message(), "hint": lint.hint(),
        })
    });
    format!("{}\n", serde_json::Value::from_iter(errors.chain(lints)))
}

impl Render {
    fn run(self) -> Done {
        let mut settings = LocaleSettings::new();
        for folder in &self.locales {
            settings = settings.locale_path(folder).map_err(|error| error.to_string())?;
        }
        let languages = settings.into_languages();
        let locale = match &self.language {
            Some(code) => languages.locale(code),
            None => languages.default_locale(),
        };
        // Only this page has to be whole.
        let options = self.place.options().errors_when_rendered().locale(locale);
        let templates =
            Templates::load(&self.place.loader(), options).map_err(|error| error.to_string())?;
        let variables = self.variables()?;
        let page =
            templates.render(&self.name, &variables, &()).map_err(|error| error.to_string())?;
        io::stdout().write_all(page.as_bytes()).map_err(|error| error.to_string())?;
        Ok(ExitCode::SUCCESS)
    }

    fn variables(&self) -> Result<Variables, String> {
        let Some(path) = &self.context else { return Ok(Variables::new()) };
        let text = match path.as_os_str() == "-" {
            true => io::read_to_string(io::stdin()),
            false => std::fs::read_to_string(path),
        };
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let text = text.map_err(|error| wrong(error.to_string()))?;
        let context: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let fields =
            context.as_object().ok_or_else(|| wrong("a context is a JSON object".into()))?;
        let value = |(name, value): (&String, &serde_json::Value)| {
            let value = Value::from_serialize(value).map_err(|error| wrong(error.to_string()))?;
            Ok((name.clone(), value))
        };
        fields.iter().map(value).collect()
    }
}
