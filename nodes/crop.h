/* crop: a face of a frame -> an upright patch of the card's size, and patches -> the network's tensor. */
#ifndef FAKESIFT_NODES_CROP_H
#define FAKESIFT_NODES_CROP_H

#include "models/card.h"
#include "nodes/faces.h"
#include "nodes/image.h"

/* Where the crop lies in the frame. CROP_BOX: the face's box, made square by its longer side if the card says
 * so, times margin, about its centre. CROP_SIMILARITY: the similarity transform that brings the five points
 * closest (least squares; Umeyama 1991) to the reference points of ArcFace's 112 x 112 template, scaled to
 * the crop's shorter side, or to those of crop->points, and shrunk by margin about the crop's centre. CROP_EYES: the eyes
 * level, the region's point in the centre, sides of reach_x and reach_y times margin times the distance between the eyes.
 * Points that allow no transform (all at one place) fall back to CROP_BOX. */
void crop_transform(const struct card_crop *crop, const struct face *face, struct image_transform *ret_transform);

/* Writes crop->width_px * crop->height_px * 3 bytes. */
void crop_face(const struct card_crop *crop, const struct face *face, const struct image *frame, uint8_t *out_rgb_hwc);

/* One patch into a tensor by the card's order, scale, mean and deviation. out_f32 points at the patch's first
 * value; channel_stride is the distance between channel planes for the planar layouts (ignored for NHWC). */
void crop_to_tensor(const struct card_tensor *tensor, const uint8_t *rgb_hwc, unsigned width_px, unsigned height_px,
                    float *out_f32, size_t channel_stride);

#endif
