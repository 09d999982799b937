# GNU parallel; what is typed again after a kill is the same line
parallel -j 16 --joblog pages.log --resume-failed --retries 3 --timeout 30 curl -fsS -o pages/{/} {} < urls.txt
