//! One keep-alive connection of one worker. It drives hyper's connection in the same task as the request, so that an
//! answer wakes one task, not two: the players must not be dearer than the game.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What sends requests, and what must be polled meanwhile.
type Open = (
    SendRequest<Full<Bytes>>,
    Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
);

/// Why a request has no answer; its outcome is open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nobody accepts connections there.
    #[error("can't connect to {0}: {1}")]
    Connect(String, std::io::Error),
    /// The connection failed before the whole answer was there.
    #[error("the connection failed: {0}")]
    Connection(#[from] hyper::Error),
    /// The server closed the connection before the whole answer was there.
    #[error("the server closed the connection")]
    Closed,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

/// A connection that opens itself when it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    authority: String,
    open: Option<Open>,
}

impl Connection {
    /// To `host:port`; opened by the first request.
    pub(crate) fn new(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            open: None,
        }
    }

    /// Sends a request and waits for its whole answer. A request that certainly was not sent, because the server had
    /// closed the idle connection, is sent again on a new one.
    pub(crate) async fn send(
        &mut self,
        request: &Request<Full<Bytes>>,
    ) -> Result<Answer, SendError> {
        let reused = self.open.is_some();
        match self.attempt(request.clone()).await {
            Err(SendError::Connection(error)) if reused && error.is_canceled() => {
                self.attempt(request.clone()).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let (mut sender, mut driver) = match self.open.take() {
            Some(open) => open,
            None => connect(&self.authority).await?,
        };
        let exchange = async move {
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            let answer = Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            };
            Ok::<_, hyper::Error>((sender, answer))
        };
        let mut exchange = std::pin::pin!(exchange);
        let (sender, answer) = tokio::select! {
            biased;
            done = &mut exchange => done?,
            ended = driver.as_mut() => {
                // The server has closed. If that was after its answer, the answer is complete now.
                ended?;
                let done = std::future::poll_fn(|context| std::task::Poll::Ready(exchange.as_mut().poll(context))).await;
                return match done {
                    std::task::Poll::Ready(done) => Ok(done?.1),
                    std::task::Poll::Pending => Err(SendError::Closed),
                };
            }
        };
        self.open = Some((sender, driver));
        Ok(answer)
    }
}

async fn connect(authority: &str) -> Result<Open, SendError> {
    let failed = |error| SendError::Connect(authority.to_owned(), error);
    let stream = TcpStream::connect(authority).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    Ok((sender, Box::pin(driver)))
}
