"""`gateway demo`, part by part: a folder of its own, a real `gateway serve`, sending vendors, a failing TEMIS.

place.py, stage.py, cast.py, serving.py -> play.py: feed.py and control.py, watched by progress.py
-> findings.py, tales.py -> report.py
"""
