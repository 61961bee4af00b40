"""Pictures of what a run found: detections drawn on images, and contact sheets."""
