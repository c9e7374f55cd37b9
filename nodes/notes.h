/* notes: what a lane was doing, in a page that it shares with its agent, so that a lane that dies still has last words.
 * The lane writes, the agent reads after the lane's death or kill. The agent trusts nothing in it. */
#ifndef FAKESIFT_NODES_NOTES_H
#define FAKESIFT_NODES_NOTES_H

struct lane_notes {
    char stage[32];    /* "open", "decode", "faces", "network" */
    char message[224]; /* the decoder's last words */
};

#endif
