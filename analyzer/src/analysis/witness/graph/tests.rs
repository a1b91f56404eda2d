use super::*;

const HEAD: &str = "\
# traced: vfs_write
# traced: xfs_ilock [xfs]
# tracer: function_graph
#
# CPU  TASK/PID         DURATION                  FUNCTION CALLS
# |     |    |           |   |                     |   |   |   |
";

fn steps(text: &str) -> Vec<String> {
    let graph = parse(&format!("{HEAD}{text}")).unwrap().unwrap();
    let sign = |way| if way == Way::In { '+' } else { '-' };
    graph.steps.iter().map(|s| format!("{}{}{} {}", sign(s.way), s.call, s.function, s.pid)).collect()
}

#[test]
fn entries_leaves_and_returns_are_read() {
    let text = "\
 0)   dd (1)-42    |               |  vfs_write() {
 0)   dd (1)-42    |   2.764 us    |    xfs_ilock [xfs]();
 0)   dd (1)-42    |               |    /* block_bio_queue: 8,0 R 16 + 8 [dd|x] */
 ------------------------------------------
 0)   dd-42        =>    <idle>-0
 ------------------------------------------

 0)    <idle>-0    |   ==========> |
 0)    <idle>-0    |               |  __common_interrupt() {
 0)    <idle>-0    | + 11.020 us   |  } /* __common_interrupt */
 0)    <idle>-0    |   <========== |
 0)   dd (1)-42    | ! 13.536 us   |  } /* vfs_write */
";
    assert_eq!(
        steps(text),
        [
            "+0vfs_write 42",
            "+1xfs_ilock [xfs] 42",
            "-1xfs_ilock [xfs] 42",
            "+2__common_interrupt 0",
            "-2__common_interrupt 0",
            "-0vfs_write 42",
        ]
    );
}

#[test]
fn other_columns_and_newer_kernels_are_read() {
    let text = "\
# tracer: function_graph
#     TIME        CPU  TASK/PID                    FUNCTION CALLS
   20.165378 |   3)   kworker-7    |  a.isra.0(x=1, y=0x2) {
   20.165379 |   3)   kworker-7    |    b [m](); /* ret=0x1 */
   20.165379 |   3)   kworker-7    |  } /* a.isra.0 ret=0x0 */
";
    let graph = parse(text).unwrap().unwrap();
    let functions: Vec<_> = graph.steps.iter().map(|s| s.function.as_str()).collect();
    assert_eq!(functions, ["a.isra.0", "b [m]", "b [m]", "a.isra.0"]);
    assert_eq!((graph.calls, graph.traced.len()), (2, 0));
}

#[test]
fn a_return_without_an_entry_is_counted() {
    let text = format!("{HEAD} 0)  a-1  |  |  }} /* f */\n 0)  a-1  |  |  }}\n");
    let graph = parse(&text).unwrap().unwrap();
    assert_eq!((graph.steps.len(), graph.without_entry), (0, 2));
    assert_eq!(graph.traced["xfs_ilock [xfs]"], 1);
}

#[test]
fn what_leaves_a_doubt_is_refused() {
    let error = |text: &str| parse(&format!("{HEAD}{text}")).unwrap_err();
    assert_eq!(error("CPU:0 [LOST 5 EVENTS]\n"), GraphError::Lost(7));
    assert_eq!(
        error(" 0)  a-1  |  |  f() {\n 1)  a-1  |  |  }\n"),
        GraphError::Cpus { line: 8, cpu: 1, other: 0 }
    );
    let (closes, open) = ("g".to_owned(), "f".to_owned());
    assert_eq!(
        error(" 0)  a-1  |  |  f() {\n 0)  a-1  |  |  } /* g */\n"),
        GraphError::Closes { line: 8, closes, open }
    );
    for line in [" 0)  a-1  |  |  f\n", " 0)  nobody  |  |  f();\n", "f();\n"] {
        assert!(matches!(error(line), GraphError::Form { line: 7, .. }), "{line}");
    }
    let plain = "# tracer: function_graph\n# CPU  DURATION\n 0)  |  f();\n";
    assert_eq!(parse(plain).unwrap_err(), GraphError::WithoutTasks);
}

#[test]
fn another_tracers_text_has_no_graph() {
    assert_eq!(parse("# tracer: nop\n dd-1 [000] . 1.0: block_plug: [dd]\n"), Ok(None));
}
