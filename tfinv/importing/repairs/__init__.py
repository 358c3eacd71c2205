"""Files of other versions of Keras: configurations repaired as data, and weights that find their layers one by one."""
