//! A proxy between the functions and a service of AWS, which injects faults.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It is answered.
    None,
    /// The connection is closed before it reaches the service.
    Refuse,
    /// It does not reach the service, and is never answered.
    Blackhole,
    /// The service does it, and the connection is closed before the response.
    DropResponse,
    /// The service handles the request, and the client keeps waiting for the response.
    HoldResponse,
    /// As `None`, but the client gets the responses to this operation only after the next fault.
    DelayResponse(&'static str),
}

/// A proxy for one service.
pub(crate) struct FaultProxy {
    url: String,
    fault: watch::Sender<Fault>,
    service: Arc<Mutex<Option<String>>>,
    operations: Operations,
}

/// The operations that requests name, as AWS JSON does in the header `x-amz-target`.
type Operations = Arc<Mutex<Vec<String>>>;

impl FaultProxy {
    /// A proxy without a fault, and without a service yet.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (fault, state) = watch::channel(Fault::None);
        let service = Arc::new(Mutex::new(None::<String>));
        let upstream = Arc::clone(&service);
        let operations = Operations::default();
        let asked = Arc::clone(&operations);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = upstream.lock().unwrap().clone();
                let upstream = upstream.expect("the proxy has a service");
                tokio::spawn(forward(client, upstream, state.clone(), Arc::clone(&asked)));
            }
        });
        Self { url, fault, service, operations }
    }

    /// Where the functions find the service.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the service is. It is elsewhere after a restart.
    pub(crate) fn forward_to(&self, endpoint: &str) {
        let address = endpoint.trim_start_matches("http://").to_owned();
        *self.service.lock().unwrap() = Some(address);
    }

    /// The operations that were asked for since the last call of this method, such as `Decrypt`.
    pub(crate) fn operations(&self) -> Vec<String> {
        std::mem::take(&mut *self.operations.lock().unwrap())
    }

    /// What becomes of requests from now on.
    pub(crate) fn inject(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Forwards one connection, with the fault there is when something arrives.
async fn forward(
    mut client: TcpStream,
    service: String,
    mut fault: watch::Receiver<Fault>,
    operations: Operations,
) {
    let Ok(mut service) = TcpStream::connect(service).await else { return };
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut asked = None;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let operation = operation(&request[..length]);
                operations.lock().unwrap().extend(operation.clone());
                asked = operation.or(asked);
                let fault = *fault.borrow();
                match fault {
                    Fault::None
                    | Fault::DropResponse
                    | Fault::HoldResponse
                    | Fault::DelayResponse(_) => {
                        if service.write_all(&request[..length]).await.is_err() { return }
                    }
                    Fault::Refuse => return,
                    Fault::Blackhole => {
                        // Until the client gives up.
                        while client.read(&mut request).await.is_ok_and(|length| length > 0) {}
                        return;
                    }
                }
            }
            read = service.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                let is_due = |fault: &Fault| match fault {
                    Fault::DelayResponse(operation) => asked.as_deref() != Some(*operation),
                    _ => true,
                };
                let Ok(fault) = fault.wait_for(is_due).await.map(|fault| *fault) else { return };
                if fault == Fault::HoldResponse {
                    continue;
                }
                let is_answered = matches!(fault, Fault::None | Fault::DelayResponse(_));
                if !is_answered || client.write_all(&answer[..length]).await.is_err() { return }
            }
        }
    }
}

/// The operation of a request whose headers begin here.
fn operation(request: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(request);
    let mut headers = text.lines().take_while(|line| !line.is_empty());
    let target = headers.find_map(|line| line.strip_prefix("x-amz-target: "))?;
    target.rsplit('.').next().map(str::to_owned)
}
