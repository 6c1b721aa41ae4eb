//! Connections that can be broken on purpose.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// A handle on a connection: how many bytes may still be written to it.
#[derive(Clone, Debug)]
pub(crate) struct Conn(Arc<AtomicI64>);

impl Conn {
    /// Resets the connection after `bytes` more; 0: at once, when the answer would begin.
    pub fn break_after(&self, bytes: u64) {
        self.0
            .store(bytes.min(i64::MAX as u64 - 1) as i64, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Conn {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().conn.clone()
    }
}

/// A listener whose connections can be broken.
pub(crate) struct Breakable(pub TcpListener);

impl Listener for Breakable {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without it, small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        (
            BreakableStream {
                stream,
                conn: Conn(Arc::new(AtomicI64::new(i64::MAX))),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

pub(crate) struct BreakableStream {
    stream: TcpStream,
    conn: Conn,
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.conn.0.load(Ordering::SeqCst);
        if left == i64::MAX {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        if left <= 0 {
            // A reset and not an orderly end, which a client could take for the end of the body.
            let _ = self.stream.set_zero_linger();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let some = bytes.len().min(left as usize);
        let written = Pin::new(&mut self.stream).poll_write(cx, &bytes[..some]);
        if let Poll::Ready(Ok(n)) = written {
            self.conn.0.fetch_sub(n as i64, Ordering::SeqCst);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
