"""A network on rated data: utterances and streams read, figures and reports made, intervals set and their coverage."""
