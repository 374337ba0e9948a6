"""The actions of the API: parameters and a caller in, an `Answer` out; a module each."""
