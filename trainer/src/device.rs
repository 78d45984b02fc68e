//! Compute devices.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use burn::tensor::Device;

/// The device for everything except training: all CPU cores through burn's flex back end.
pub fn cpu() -> Device {
    Device::flex()
}

/// One or several devices, as the command line names them: `flex`, `vulkan`, `cuda`, or with a number
/// `cuda:1`. Commas separate several devices.
#[derive(Clone, Debug)]
pub struct Devices {
    name: String,
    devices: Vec<Device>,
}

impl Devices {
    /// The first device, which holds the weights.
    pub fn main(&self) -> &Device {
        &self.devices[0] // never empty: see from_str
    }

    /// All devices.
    pub fn all(&self) -> &[Device] {
        &self.devices
    }
}

impl Default for Devices {
    /// All CPU cores, through burn's flex back end.
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
            Err(_) => bail!("--device {name}: expected a number after the colon"),
        },
        None => (name, None),
    };
    match kind {
        "flex" => Ok(Device::flex()),
        "vulkan" => vulkan(number),
        "cuda" => cuda(number),
        _ => bail!("--device {name}: unknown device; use flex, vulkan or cuda"),
    }
}

#[cfg(feature = "vulkan")]
fn vulkan(number: Option<usize>) -> Result<Device> {
    use burn::tensor::DeviceKind;
    // Without a number the system chooses, because there may be no discrete GPU.
    Ok(Device::vulkan(number.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu)))
}

#[cfg(not(feature = "vulkan"))]
fn vulkan(_number: Option<usize>) -> Result<Device> {
    bail!("this program was built without Vulkan; build it with --features vulkan")
}

#[cfg(feature = "cuda")]
fn cuda(number: Option<usize>) -> Result<Device> {
    Ok(Device::cuda(number.unwrap_or_default()))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_number: Option<usize>) -> Result<Device> {
    bail!("this program was built without CUDA; build it with --features cuda")
}
