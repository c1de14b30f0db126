"""Where numbers go as they are measured: histograms by the second, ledger, timeline. Batches in, arrays out."""
