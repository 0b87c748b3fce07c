"""Pages that need nothing but a browser (a run, a comparison), and the model card in a checkpoint."""
