package sampling

// DrawCandidate is draw.
var DrawCandidate = draw
