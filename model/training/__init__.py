"""How networks learn: on streams, on MMSA's corpora, on mosi_utterances; the commands stand in the folder above."""
