"""JSON over HTTP: routes, problem JSON, shapes."""
