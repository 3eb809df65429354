"""One file per arrow of the pipeline; the only floor where connectors, identity, queue, temis and bdtx meet."""
