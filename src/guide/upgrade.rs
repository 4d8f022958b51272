//! WebSockets and other upgrades: a span for the handshake, or one for the whole connection.
//!
//! # What is there to choose
//!
//! A request that becomes a connection is over, as HTTP sees it, with its 101. That is where its exchange ends, unless
//! the handler takes the [`Connection`](crate::observe::Connection):
//!
//! ```
//! use axum::{
//!     extract::ws::{WebSocket, WebSocketUpgrade},
//!     response::Response,
//! };
//! use belvedere::{exchange::Annotations, observe::Connection};
//!
//! async fn feed(upgrade: WebSocketUpgrade, connection: Connection) -> Response {
//!     upgrade.on_upgrade(move |socket| connection.run(serve(socket)))
//! }
//!
//! async fn serve(mut socket: WebSocket) {
//!     let mut messages = 0;
//!     while let Some(Ok(message)) = socket.recv().await {
//!         messages += 1;
//!         Annotations::current().insert("feed.messages", messages);
//!         if socket.send(message).await.is_err() {
//!             break;
//!         }
//!     }
//! }
//! # #[cfg(feature = "axum")]
//! # let _ = axum::Router::<()>::new().route("/feed", axum::routing::any(feed));
//! ```
//!
//! | | by handshake, the default | by connection |
//! |---|---|---|
//! | the record appears | at once | when the connection is over |
//! | its duration | what the client waited for | how long the session was |
//! | a panic in the session | is not in it | makes it an error |
//! | annotations | those made before the answer | those made in the session, too |
//! | spans begun in the session | need a scope, and outlive their parent | lie inside of it |
//!
//! # When to choose what
//!
//! By handshake, where connections last for hours, where a time series of durations must stay one of requests, or where
//! a session is not one thing to look at. Give each message a span of its own then; it may link to the handshake's.
//!
//! By connection, where a session is short, or is what goes wrong: a call, a game, a terminal. Then
//!
//! - whoever charts durations finds connections among them; tell them apart by their route or by their status, 101;
//! - a count of active requests counts open connections;
//! - a process that is killed loses what has not ended, which is every open session.
//!
//! # Stopping
//!
//! Over HTTP/1 no server waits for connections that were upgraded, not even one that stops gracefully. Tell the sessions
//! to end, wait for them, and shut Belvedere down after that. A session whose task is aborted ends its exchange as canceled, as if the
//! client had left.
//!
//! # Clients
//!
//! The exchange of a client ends with the handshake. A proxy that takes the [`Connection`](crate::observe::Connection)
//! of the request that it serves keeps that exchange open, not the one of its own call.
