//! A bridge from code that waits to the SDK, which does not: stores and signers are asked in plain functions, also from
//! within a run that is asynchronous itself.

use std::{future::Future, io, sync::mpsc};

use tokio::runtime::{Builder, Runtime};

/// A thread of its own that carries out what is handed to it. May be waited for from anywhere, also inside another runtime
/// (whose thread then waits too).
#[derive(Debug)]
pub struct Background(Option<Runtime>);

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses one.
    pub fn start(name: &str) -> io::Result<Self> {
        Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().map(|r| Self(Some(r)))
    }

    /// Carries `work` out and returns its result.
    ///
    /// # Errors
    /// It panicked.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (done, result) = mpsc::sync_channel(1);
        self.spawn(async move {
            // Whoever waits is there until the result is.
            let _ = done.send(work.await);
        });
        result.recv().map_err(|_| io::Error::other("internal error while asking AWS; please report it"))
    }

    /// Carries `work` out beside everything else, for as long as this lives.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one would panic where it waits for its threads.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_be_waited_for_inside_another_runtime_and_survives_a_panic() {
        let background = Background::start("test").unwrap();
        let outer = Builder::new_current_thread().build().unwrap();
        assert_eq!(outer.block_on(async { background.wait(async { 7 }).unwrap() }), 7);
        assert!(background.wait(async { panic!("on purpose") }).map(|(): ()| ()).is_err());
        assert_eq!(background.wait(async { 8 }).unwrap(), 8);
    }
}
