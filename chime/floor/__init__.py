"""The floor: what a supervisor sees at one glance and live: who is there, how much each has, which queue waits longest.

It decides nothing and keeps nothing of its own. Every figure is counted anew from the conversations that its reader may
see; of people only those they are told of, each with the load that routing goes by.
"""
