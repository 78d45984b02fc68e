//! What computes the networks.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use burn::tensor::Device;

/// One or several devices, as named on the command line: `flex`, `vulkan`, `cuda`, or with a number
/// `cuda:1`; several with commas between.
#[derive(Clone, Debug)]
pub struct Devices {
    name: String,
    devices: Vec<Device>,
}

impl Devices {
    /// The first one, which keeps the weights.
    pub fn main(&self) -> &Device {
        &self.devices[0] // never empty: see from_str
    }

    /// All of them.
    pub fn all(&self) -> &[Device] {
        &self.devices
    }
}

impl Default for Devices {
    /// All cores, through burn's flex back end.
    fn default() -> Self {
        Self { name: "flex".into(), devices: vec![Device::flex()] }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Devices {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let devices = name.split(',').map(|one| device(one.trim())).collect::<Result<_>>()?;
        Ok(Self { name: name.to_owned(), devices })
    }
}

fn device(name: &str) -> Result<Device> {
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => match number.parse::<usize>() {
            Ok(number) => (kind, Some(number)),
            Err(_) => bail!("--device {name}: a number is needed after the colon"),
        },
        None => (name, None),
    };
    match kind {
        "flex" => Ok(Device::flex()),
        "vulkan" => vulkan(number),
        "cuda" => cuda(number),
        _ => bail!("--device {name}: flex, vulkan and cuda are known"),
    }
}

#[cfg(feature = "vulkan")]
fn vulkan(number: Option<usize>) -> Result<Device> {
    use burn::tensor::DeviceKind;
    // Without a number, whatever the system thinks best: it may have no card of its own.
    Ok(Device::vulkan(number.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu)))
}

#[cfg(not(feature = "vulkan"))]
fn vulkan(_number: Option<usize>) -> Result<Device> {
    bail!("this program was built without Vulkan: build it with --features vulkan")
}

#[cfg(feature = "cuda")]
fn cuda(number: Option<usize>) -> Result<Device> {
    Ok(Device::cuda(number.unwrap_or_default()))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_number: Option<usize>) -> Result<Device> {
    bail!("this program was built without CUDA: build it with --features cuda")
}
