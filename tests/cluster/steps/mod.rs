//! The steps of a run, in order.

mod disruption;
mod driver;
mod events;
mod install;
mod mounts;
mod release;
mod rotation;
mod sharing;
mod swap;

use std::io::Write;

use crate::{environment::Environment, error::StepError, pod_stream::PodStream, report::Report};

/// Runs every step. A step that later ones stand on ends the run where it fails.
pub(crate) fn run<W: Write>(environment: &Environment, report: &mut Report<W>) {
    if environment.repeated {
        remove(environment);
    }
    let installed = report.step("the emulator", || install::emulator(environment))
        && report.step("provider-azure's chart", || install::provider_azure(environment))
        && report.step("a volume of provider-azure", || install::first_volume(environment));
    if !installed {
        return;
    }
    {
        let stream = PodStream::start(&environment.kubectl, install::CLASS, &environment.options.app_image);
        let mut during = |step: &str, change: &dyn Fn(&Environment) -> Result<String, StepError>| {
            report.step(step, || {
                let seen = change(environment)?;
                Ok(format!("{seen}; {}", stream.summary()?))
            })
        };
        during("swap: provider-azure's chart, our image", &swap::image_only);
        during("swap: back", &swap::back);
        during("the driver in a release of its own", &driver::own_release);
        during("swap: beside provider-azure", &swap::beside);
        during("swap: our chart in place", &swap::in_place);
        during("swap: back", &swap::back);
        during("swap: our chart in place, again", &swap::in_place);
        during("provider killed", &disruption::provider_killed);
        during("kubelet restarted", &disruption::kubelet_restarted);
    }
    report.step("the first volume", || install::first_volume_kept(environment));
    for example in mounts::EXAMPLES {
        report.step(&format!("example {example}"), || mounts::example(environment, example));
    }
    report.step("helm test", || sharing::helm_test(environment));
    report.step("pods of one service account", || sharing::one_exchange(environment));
    report.step("rotation", || rotation::rotate(environment));
    report.step("a misspelt object", || events::misspelt_object(environment));
}

/// Removes everything that the steps have installed, whether or not they passed.
pub(crate) fn remove(environment: &Environment) {
    install::remove(environment);
}
