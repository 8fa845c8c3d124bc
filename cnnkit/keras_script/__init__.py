"""Write the network and the training of a config as one plain Keras script.

The script does not import cnnkit. `write_script.py` puts it together; what plain Keras cannot say
is refused in `refusals.py`.
"""
