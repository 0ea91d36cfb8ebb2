//! A request's body, of which some was read already.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;

use super::policy::BODY_LIMIT;
use super::scan::{BodyError, Ended, Form, Scan, Scanner, urlencoded_tokens};

pin_project! {
    /// A body that gives back what was read of it, and then streams on.
    #[derive(Debug)]
    pub struct ReadBody<B: Body> {
        read: Option<Bytes>,
        failed: Option<B::Error>,
        #[pin]
        rest: B,
    }
}

impl<B: Body> ReadBody<B> {
    /// A body of which nothing was read.
    pub(super) fn untouched(rest: B) -> Self {
        Self { read: None, failed: None, rest }
    }
}

impl<B: Body<Data = Bytes>> Body for ReadBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(read) = this.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(ready!(this.rest.poll_frame(cx)))
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.failed.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

/// What a body had to say about the token.
pub(super) struct Search {
    /// The token's field, if there is one.
    pub(super) token: Option<String>,
    /// Are there two of them?
    pub(super) doubled: bool,
}

/// Reads a body as far as the token, and returns it as it was before.
///
/// A connection that breaks while the body is read counts as a body without token, as in Django; the
/// handler then meets the same error.
pub(super) async fn search<B>(form: &Form, body: B) -> Result<(Search, ReadBody<B>), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    match form {
        Form::Other => Ok((Search { token: None, doubled: false }, ReadBody::untouched(body))),
        Form::Urlencoded => search_urlencoded(body).await,
        Form::Multipart(boundary) => search_multipart(Scanner::new(boundary), body).await,
    }
}

async fn search_urlencoded<B>(mut body: B) -> Result<(Search, ReadBody<B>), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(BodyError::TooLong);
    }
    let mut read = Reading::default();
    let mut failed = None;
    while let Some(chunk) = next_data(&mut body).await {
        match chunk {
            Ok(chunk) if chunk.len() > BODY_LIMIT - read.bytes().len() => {
                return Err(BodyError::TooLong);
            }
            Ok(chunk) => read.push(chunk),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let mut search = Search { token: None, doubled: false };
    if failed.is_none() {
        for token in urlencoded_tokens(read.bytes())? {
            search.doubled = search.token.replace(token.into_owned()).is_some();
        }
    }
    Ok((search, ReadBody { read: read.finish(), failed, rest: body }))
}

async fn search_multipart<B>(
    mut scanner: Scanner,
    mut body: B,
) -> Result<(Search, ReadBody<B>), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut read = Reading::default();
    let mut failed = None;
    let token = loop {
        let ended = match next_data(&mut body).await {
            Some(Ok(chunk)) => {
                read.push(chunk);
                Ended::No
            }
            Some(Err(error)) => {
                failed = Some(error);
                break None;
            }
            None => Ended::Yes,
        };
        match scanner.scan(read.bytes(), ended)? {
            Scan::Found(token) => break Some(token),
            Scan::Absent => break None,
            Scan::More => {}
        }
    };
    let search = Search { token, doubled: scanner.is_doubled() };
    Ok((search, ReadBody { read: read.finish(), failed, rest: body }))
}

/// What was read so far; one chunk, as most forms are, is not copied.
#[derive(Default)]
struct Reading {
    first: Bytes,
    more: BytesMut,
}

impl Reading {
    fn push(&mut self, chunk: Bytes) {
        if self.bytes().is_empty() {
            self.first = chunk;
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&chunk);
    }

    fn bytes(&self) -> &[u8] {
        if self.more.is_empty() { &self.first } else { &self.more }
    }

    fn finish(self) -> Option<Bytes> {
        let bytes = if self.more.is_empty() { self.first } else { self.more.freeze() };
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// The next piece of data; trailers are of no interest to a form.
async fn next_data<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Option<Result<Bytes, B::Error>> {
    loop {
        match body.frame().await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}
