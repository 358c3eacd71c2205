"""Questions of an audit, one module each: `ask(subject, budget, workdir) -> Answer`."""
