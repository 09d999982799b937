"""`durably test --crash-everywhere`: a job is killed at every place, resumed, and looked at.

`campaign` goes through the places, `trial` kills and resumes at one, in processes of `processes`.
What these do differently is in `inside`, `doctored_log`, `asked`, `lines`, `outside`; `notes` is
what they say of themselves. `watched` holds what a job is given, `contents` reads it, `judging`
says what is wrong.
"""
