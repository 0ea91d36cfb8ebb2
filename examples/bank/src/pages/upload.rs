//! Uploading files, which are hashed as they come and never kept.
//!
//! Stops: uploads that fill the memory or the disk.
//!
//! 1. A body has at most [`MAX_BODY`] bytes (413), and [`MAX_FILES`] files (400).
//! 2. A file is never held whole: each piece is hashed and dropped.
//! 3. A file's name is a client's text: it is shown, shortened to [`MAX_NAME`] characters, and never
//!    used as a path.

use std::fmt::Write;

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::response::Response;
use donjon::page::Page;
use donjon_html::context;
use donjon_html::template::Value;
use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// How many bytes a body may have: 50 MB.
pub const MAX_BODY: usize = 50 * 1024 * 1024;

/// How many files a body may have.
pub const MAX_FILES: usize = 10;

/// How many fields of other kinds are read over; the token is one.
pub const MAX_FIELDS: usize = 10;

/// How many characters of a file's name are shown.
pub const MAX_NAME: usize = 255;

/// A file that was received.
#[derive(Debug)]
struct Received {
    name: String,
    size: u64,
    sha256: String,
}

impl From<Received> for Value {
    fn from(file: Received) -> Self {
        context! { name: file.name, size: file.size, sha256: file.sha256 }.into()
    }
}

/// What is wrong with an upload: a status and a sentence.
type Mistake = (StatusCode, String);

/// `GET /upload/`
///
/// # Errors
/// [`Problem`], if the page can't be made.
pub async fn show(page: Page) -> Result<Response, Problem> {
    answer(page, StatusCode::OK, None, Vec::new()).await
}

/// `POST /upload/`
///
/// # Errors
/// [`Problem`], if the page can't be made.
pub async fn submit(
    page: Page,
    body: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let received = match body {
        Ok(body) => receive(body).await,
        Err(_) => Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send multipart/form-data.".to_owned())),
    };
    match received {
        Ok(files) if files.is_empty() => {
            let error = "Choose a file first.".to_owned();
            answer(page, StatusCode::OK, Some(error), files).await
        }
        Ok(files) => answer(page, StatusCode::OK, None, files).await,
        Err((status, error)) => answer(page, status, Some(error), Vec::new()).await,
    }
}

async fn answer(
    page: Page,
    status: StatusCode,
    error: Option<String>,
    files: Vec<Received>,
) -> Result<Response, Problem> {
    let max_size = format!("{} MB", MAX_BODY / (1024 * 1024));
    let variables = context! { error, files, max_files: MAX_FILES, max_size };
    Ok(page.status(status).render("bank/upload.html", variables).await?)
}

async fn receive(mut body: Multipart) -> Result<Vec<Received>, Mistake> {
    let (mut files, mut others) = (Vec::new(), 0);
    while let Some(field) = body.next_field().await.map_err(unreadable)? {
        let name = field.file_name().map(shortened);
        match name {
            // A browser sends an empty name where no file was chosen.
            Some(name) if name.is_empty() => drop(hash(field, name).await?),
            Some(_) if files.len() == MAX_FILES => return Err(too_many()),
            Some(name) => files.push(hash(field, name).await?),
            None if others == MAX_FIELDS => return Err(too_many()),
            None => others += 1,
        }
    }
    Ok(files)
}

async fn hash(mut field: Field<'_>, name: String) -> Result<Received, Mistake> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    while let Some(piece) = field.chunk().await.map_err(unreadable)? {
        size += piece.len() as u64;
        hasher.update(&piece);
    }
    Ok(Received { name, size, sha256: hex(&hasher.finalize()) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

fn too_many() -> Mistake {
    (StatusCode::BAD_REQUEST, format!("At most {MAX_FILES} files at a time."))
}

fn unreadable(error: MultipartError) -> Mistake {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = MAX_BODY / (1024 * 1024);
            (StatusCode::PAYLOAD_TOO_LARGE, format!("At most {limit} MB at a time."))
        }
        _ => {
            (StatusCode::BAD_REQUEST, "The upload ended too soon, or could not be read.".to_owned())
        }
    }
}
