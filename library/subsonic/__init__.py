"""The OpenSubsonic API, by which music players browse and play what a person may hear here."""
