"""The job as its user declares it: its file and sections, its folder, and the jobs below one."""
