"""What a project has: its jobs and their modules, where it is and where its store is."""
