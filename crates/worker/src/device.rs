//! What a binary computes on, and whether it does the tasks of collections. The linker removes the code of what a
//! binary does not name.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use burn::tensor::Device;
use cratedigger_protocol::DeviceKind;

use crate::Failure;
use crate::queue::Collections;

/// A future that opens a device and returns it with its name for display.
type Opening = Pin<Box<dyn Future<Output = Result<(Device, String), Failure>>>>;

/// The device that this worker computes on.
#[derive(Clone, Copy)]
pub struct Backend {
    /// Kind of the device in the protocol.
    pub(crate) kind: DeviceKind,
    /// Segments per batch: sizes to choose from by measurement, the smallest first.
    pub(crate) batches: &'static [usize],
    /// Opens the device.
    pub(crate) open: fn() -> Opening,
    /// Does the tasks of collections.
    pub(crate) collections: Option<Collections>,
}

thread_local! {
    /// The opened device. burn opens a GPU only once, so all networks use the same device.
    static OPENED: RefCell<Option<(Device, String)>> = const { RefCell::new(None) };
}

impl Backend {
    /// The device, and its name for display. Opens it at the first call.
    pub(crate) async fn device(self) -> Result<(Device, String), Failure> {
        if let Some(opened) = OPENED.with_borrow(Clone::clone) {
            return Ok(opened);
        }
        let opened = (self.open)().await?;
        OPENED.set(Some(opened.clone()));
        Ok(opened)
    }
}

#[cfg(feature = "cpu")]
impl Backend {
    /// CPU with SIMD. Large batches would hardly be faster, so only one size is used.
    pub const CPU: Self = Self {
        kind: DeviceKind::Cpu,
        batches: &[4],
        // Cannot fail.
        open: || Box::pin(async { Ok((Device::flex(), "WebAssembly SIMD".into())) }),
        collections: None,
    };

    /// The same, and it teaches and compares.
    pub const COLLECTION: Self = Self {
        collections: Some(|models, job, task, shared| {
            Box::pin(crate::collection::run(models, job, task, shared))
        }),
        ..Self::CPU
    };
}

#[cfg(feature = "gpu")]
impl Backend {
    /// WebGPU. Large GPUs need large batches; with larger ones than these, a song would show no progress.
    pub const GPU: Self = Self {
        kind: DeviceKind::WebGpu,
        batches: &[8, 16, 32],
        open: || Box::pin(gpu::open()),
        collections: None,
    };
}

#[cfg(feature = "gpu")]
mod gpu {
    use cratedigger_protocol::FailureKind;
    use js_sys::{Function, Promise, Reflect};
    use wasm_bindgen::{JsCast as _, JsValue};
    use wasm_bindgen_futures::JsFuture;

    use super::{Device, Failure};
    use crate::wire;

    /// burn-wgpu needs this feature for its clock and panics without it.
    const NEEDED: &str = "timestamp-query";

    /// Checks the adapter through JavaScript first: a missing feature must be found before burn uses the
    /// adapter, because WebAssembly cannot recover from a panic of burn.
    pub(crate) async fn open() -> Result<(Device, String), Failure> {
        let none = |what: &dyn std::fmt::Display| Failure::new(FailureKind::NoGpu, what);
        let adapter = adapter().await.map_err(|e| none(&wire::describe(&e)))?;
        if adapter.is_null() || adapter.is_undefined() {
            return Err(none(&"this browser offers no WebGPU adapter"));
        }
        if !has_feature(&adapter).unwrap_or(false) {
            return Err(none(&format!("the GPU adapter lacks {NEEDED}")));
        }
        let name = name_of(&adapter).unwrap_or_else(|| "WebGPU".into());
        let (device, setup) =
            Device::wgpu_options().init_with_setup_async().await.map_err(|e| none(&format!("{e:?}")))?;
        setup.device.set_device_lost_callback(|reason, message| {
            let detail = format!("the GPU device was lost ({reason:?}): {message}");
            wire::post(&Failure::new(FailureKind::Device, detail).event(None), None);
        });
        Ok((device, name))
    }

    fn call(target: &JsValue, name: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
        Reflect::get(target, &name.into())?.dyn_into::<Function>()?.call1(target, argument)
    }

    async fn adapter() -> Result<JsValue, JsValue> {
        let navigator = wire::scope().navigator();
        let gpu = Reflect::get(&navigator, &"gpu".into())?;
        if gpu.is_undefined() {
            return Ok(JsValue::UNDEFINED);
        }
        // The same preference as burn's, so that the browser returns the same adapter.
        let options = js_sys::Object::new();
        Reflect::set(&options, &"powerPreference".into(), &"high-performance".into())?;
        let promise: Promise = call(&gpu, "requestAdapter", &options)?.dyn_into()?;
        JsFuture::from(promise).await
    }

    fn has_feature(adapter: &JsValue) -> Result<bool, JsValue> {
        let features = Reflect::get(adapter, &"features".into())?;
        Ok(call(&features, "has", &NEEDED.into())?.is_truthy())
    }

    fn name_of(adapter: &JsValue) -> Option<String> {
        let info = Reflect::get(adapter, &"info".into()).ok()?;
        let part = |key: &str| Reflect::get(&info, &key.into()).ok()?.as_string().filter(|s| !s.is_empty());
        part("description").or_else(|| match (part("vendor"), part("architecture")) {
            (Some(vendor), Some(architecture)) => Some(format!("{vendor} {architecture}")),
            (one, other) => one.or(other),
        })
    }
}
