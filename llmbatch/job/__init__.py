"""What a user declares: the job file and its sections, its folder, and the jobs below one."""
