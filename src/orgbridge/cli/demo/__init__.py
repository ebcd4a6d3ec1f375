"""The main job from end to end, on data that it makes itself and checks itself."""
