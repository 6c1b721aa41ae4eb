//! `spendlake simulate`: a Coupa on this machine, for as long as it is wanted.

use simulator::{Config, Faults, Running, Simulator, default_start};
use url::Url;

use super::Ended;
use super::run::signalled;
use crate::cli::Simulate;
use crate::output::{Exit, Failure, say};

/// Where `simulate` answers unless another port is asked for.
pub const PORT: u16 = 8780;

/// A simulator that answers until it is dropped.
pub struct Served {
    pub url: Url,
    pub client_id: String,
    pub client_secret: String,
    _running: Running,
}

pub async fn simulate(args: &Simulate) -> Ended {
    let config = Config {
        port: args.port,
        seed: args.seed,
        scale: args.scale,
        faults: args.faults.clone().unwrap_or_default(),
        control: true,
        // A server that runs for days must not remember each request.
        record_requests: false,
        ..Config::default()
    };
    let served = serve(config).map_err(|failure| vec![failure])?;
    say(greeting(&served));
    signalled().await;
    say("the simulator has ended");
    Ok(Exit::Done)
}

/// A company for the demo: without Coupa's rate limit, which would be all that one waits for.
pub fn demo_config(scale: f64) -> Config {
    Config {
        scale,
        rate: None,
        faults: Faults::default(),
        record_requests: false,
        ..Config::default()
    }
}

/// Starts the simulator on a port of the loopback interface.
pub fn serve(config: Config) -> Result<Served, Failure> {
    let port = config.port;
    let running = Simulator::start(config).map_err(|error| {
        Failure::change(
            format!("the simulator cannot answer on port {port}: {error}"),
            "end what uses the port, or take a free one with --port 0",
        )
    })?;
    let client = running.client();
    Ok(Served {
        url: Url::parse(&running.url()).expect("the simulator has an address"),
        client_id: client.id.clone(),
        client_secret: client.secret.clone(),
        _running: running,
    })
}

fn greeting(served: &Served) -> String {
    let url = served.url.as_str().trim_end_matches('/');
    format!(
        "a simulated Coupa answers at {url} until Ctrl-C; its clock starts at {}\n\n\
         A job that reads it:\n\n\
         \x20 connection = \"simulated\"\n\
         \x20 [coupa]\n\
         \x20 url           = \"{url}\"\n\
         \x20 client_id     = \"${{COUPA_CLIENT_ID}}\"\n\
         \x20 client_secret = \"${{COUPA_CLIENT_SECRET}}\"\n\
         \x20 [lake]\n\
         \x20 url = \"./lake\"\n\n\
         In the shell that runs it:\n\n\
         \x20 export COUPA_CLIENT_ID={} COUPA_CLIENT_SECRET={}\n\n\
         To let the company work on, so that there is something new to read:\n\n\
         \x20 curl -X POST {url}/simulator/advance -d '{{\"seconds\": 3600, \"changed_fraction\": 0.05}}'",
        default_start().format("%Y-%m-%d %H:%M UTC"),
        served.client_id,
        served.client_secret,
    )
}
