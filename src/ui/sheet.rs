//! A sheet that lies over the page.

use leptos::html::Dialog;
use leptos::prelude::*;

use super::controls::icon;
use super::icons;
use crate::i18n::Words;
use crate::state::{Sheet, State};

/// A modal dialog that is open while the state says so.
pub fn dialog(
    state: State,
    which: Sheet,
    title: fn(&'static Words) -> &'static str,
    body: AnyView,
) -> impl IntoView {
    let element = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        let open = state.sheet.get() == Some(which);
        let Some(dialog) = element.get() else { return };
        if open && !dialog.open() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    let (id, testid) = match which {
        Sheet::About => ("about-title", "about"),
        Sheet::Settings => ("settings-title", "settings"),
        Sheet::Teach => ("teach-title", "teach"),
        Sheet::Alike => ("alike-title", "alike"),
        Sheet::Tags => ("tags-title", "write-tags"),
    };
    view! {
        <dialog
            node_ref=element
            class="sheet"
            aria-labelledby=id
            data-testid=testid
            on:close=move |_| {
                if state.sheet.get_untracked() == Some(which) {
                    state.sheet.set(None);
                }
            }
            on:click=move |event| {
                // A click on the dialog itself, not on its content, is a click beside the sheet.
                if element.get_untracked().is_some_and(|dialog| event.target().as_ref() == Some(&dialog)) {
                    state.sheet.set(None);
                }
            }
        >
            <div class="sheet-body">
                <div class="sheet-head">
                    <h2 id=id>{move || title(state.words())}</h2>
                    <button
                        type="button"
                        class="icon-button"
                        data-testid=format!("close-{testid}")
                        aria-label=move || state.words().frame.close
                        on:click=move |_| state.sheet.set(None)
                    >
                        {icon(icons::CLOSE)}
                    </button>
                </div>
                {body}
            </div>
        </dialog>
    }
}
