//! What is right and what is wrong in a catalog.

use super::*;
use iotrace_arch::FIRST;
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

fn load(text: &str) -> Result<Catalog, CatalogError> {
    Catalog::load(&[("mine.toml".into(), text.into())], FIRST)
}

#[test]
fn the_built_in_catalog_is_sound() {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    assert!(catalog.functions.iter().any(|f| f.stage == Some(Stage::BioQueue)));
    assert!(!catalog.context.current_task.is_empty());
}

#[test]
fn a_users_entry_replaces_ours() {
    let text = "[[function]]\nname = 'bio_endio'\nlayer = 'driver'\n";
    let catalog = load(text).unwrap();
    let found: Vec<_> = catalog.functions.iter().filter(|f| f.name == "bio_endio").collect();
    assert_eq!((found.len(), found[0].layer), (1, Layer::Driver));
}

#[test]
fn arguments_have_the_roles_that_the_entry_states_or_that_their_names_have() {
    let text = "[[function]]\nname = 'x'\nlayer = 'driver'\nstage = 'cmd.dispatch'\n\
                args = ['iod:queue_data', 'bio:bio', 'b:bio', 'rq']\nreads = ['iod.*', 'bio.dev', 'b.dev']\n\
                command = 'iod'\nrequest = 'iod.rq'\n";
    let catalog = load(text).unwrap();
    let function = catalog.functions.last().unwrap();
    for (word, role) in [
        ("iod", Some(Role::Command)),
        ("iod.rq", Some(Role::Request)),
        ("bio", Some(Role::Bio)),
        ("bio.dev", Some(Role::BioDev)),
        ("b", None),
        ("b.dev", None),
        ("rq", None),
    ] {
        assert_eq!(function.role(word), role, "{word}");
    }
}

#[test]
fn mistakes_name_file_and_entry() {
    for (text, expected) in [
        (
            "[[function]]\nname = 'x'\nlayer = 'blok'\n",
            "mine.toml: function x: layer: unknown layer \"blok\"",
        ),
        ("[[function]]\nname = 'x'\nlayer = 'blok'\n", "did you mean \"block\"?"),
        (
            "[[function]]\nname = 'x'\nlayer = 'other'\n",
            "layer other is reserved for functions outside of the catalog",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\naction = 'modul-load'\n",
            "did you mean \"module-load\"?",
        ),
        ("[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['a', 'a']\n", "duplicate argument name \"a\""),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['a']\neach = 'b:bio.next'\n",
            "each: \"b\" is not an argument",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['a']\neach = 'a:bio'\n",
            "not of the form argument:object.link",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['a']\nreads = ['a']\n",
            "\"a\" is not of the form argument.field",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nexit = false\nret = 'n'\n",
            "a return value needs the exits probed",
        ),
        ("[[function]]\nnam = 'x'\n", "unknown key \"nam\"; did you mean \"name\"?"),
        ("arch = 'vax'\n", &format!("mine.toml: arch = \"vax\": expected one of {}", Arch::known_names())),
        ("[[function]]\nname = 'x'\nlayer = 'block'\nreqest = 'rq'\n", "did you mean \"request\"?"),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nstage = 'bio.ennd'\n",
            "unknown stage \"bio.ennd\"; did you mean \"bio.end\"?",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nstage = 'rq.end'\nlabel = 'a'\n",
            "both a stage and a label",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nstage = 'bio.end'\nargs = ['bo:bio']\n",
            "stage bio.end needs an argument or a read with the role bio: it has bo; give it the key bio, as \
             bio = \"bo\"",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nstage = 'rq.end'\nargs = ['r:request']\nrequest = 'q'\n",
            "request = \"q\" is neither an argument nor a read: it has r",
        ),
        (
            "[[function]]\nname = 'x'\nlayer = 'driver'\nstage = 'cmd.dispatch'\nargs = ['iod:queue_data']\n\
             reads = ['iod.rq']\n",
            "as request = \"iod.rq\"",
        ),
        ("[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['a:beo']\n", "unknown object \"beo\""),
        (
            "[[function]]\nname = 'x'\nlayer = 'block'\nargs = ['bio:bio']\nreads = ['bio.z']\n",
            "object bio has no field \"z\"",
        ),
    ] {
        let message = load(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_file_of_another_architecture_is_not_used() {
    let text = format!("arch = '{}'\n[[function]]\nname = 'x'\nlayer = 'block'\n", FIRST.name);
    let other = Arch {
        name: "other",
        qemu: "",
        machine: 0,
        memory: FIRST.memory.clone(),
        registers: FIRST.registers.clone(),
        system_call_prefixes: &[],
        code: FIRST.code,
    };
    let has = |arch: &Arch| {
        let catalog = Catalog::load(&[("mine.toml".into(), text.clone())], arch).unwrap();
        catalog.functions.iter().any(|function| function.name == "x")
    };
    assert!(has(FIRST) && !has(&other));
}
