"""What is learnt from and measured on: rated corpora and the streams drawn from them, MMSA's files, mosi_utterances."""
