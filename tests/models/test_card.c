#include "models/card.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/card_fields.h"
#include "shard/file.h"
#include "shard/hash.h"
#include "shard/text.h"

#define HEAD            "\"name\":\"x\",\"title\":\"X\",\"licence\":\"MIT\",\"provenance\":\"made here\""
#define DETECTOR(input) "{\"kind\":\"detector\",\"input\":\"" input "\"," HEAD ",\"worth\":\"none\","
#define SAMPLING        "\"sampling\":{\"frames\":8}"
#define FACE            ",\"face\":{\"detector\":\"mtcnn\"}"
#define CROP            ",\"crop\":{\"width_px\":64,\"height_px\":48}"
#define TENSOR          ",\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"}"
#define FRAME           ",\"networks\":{\"frame\":{\"file\":\"a.onnx\"}}"
#define OUTPUT          ",\"output\":{\"meaning\":\"probability\"}"
#define SMALLEST        DETECTOR("faces") SAMPLING FACE CROP TENSOR FRAME OUTPUT "}"

static char path[64];

static enum status load(const char *json, struct card **ret_card, struct error *e)
{
    strcpy(path, "/tmp/fakesift-card-XXXXXX");
    close(mkstemp(path));
    cr_assert_eq(file_write(path, json, strlen(json), e), STATUS_OK);
    return card_load(path, ret_card, e);
}

/* Loads json, which must fail with "FILE" and then text. */
static void expect_error(const char *json, enum status want, const char *text)
{
    struct card *c = NULL;
    struct error e = {0};
    enum status s = load(json, &c, &e);

    unlink(path);
    cr_assert_eq(s, want, "%s for %s: %s", status_name(s), json, e.text);
    cr_assert_eq(e.status, want);
    cr_assert_null(c);
    cr_assert_eq(strncmp(e.text, path, strlen(path)), 0, "no file in: %s", e.text);
    cr_assert_str_eq(e.text + strlen(path), text, "%s", e.text);
}

static struct card *expect_card(const char *json)
{
    struct card *c = NULL;
    struct error e = {0};
    enum status s = load(json, &c, &e);

    unlink(path);
    cr_assert_eq(s, STATUS_OK, "%s: %s", json, e.text);
    return c;
}

Test(card, keys_left_out_take_their_documented_defaults)
{
    struct card *c = expect_card(SMALLEST);

    cr_assert_eq(c->kind, CARD_DETECTOR);
    cr_assert_eq(c->input, INPUT_FACES);
    cr_assert_eq(c->sampling.mode, SAMPLING_UNIFORM);
    cr_assert_eq(c->sampling.clips, 1);
    cr_assert_eq(c->sampling.frames, 8);
    cr_assert_eq(c->sampling.min_frames, 1);
    cr_assert_eq(c->face.min_face_px, 40);
    cr_assert_eq(c->face.max_faces, 4);
    cr_assert_eq(c->face.threshold, 0.9);
    cr_assert_eq(c->face.search_side_px, 640);
    cr_assert_eq(c->face.hold_frames, 2);
    cr_assert_eq(c->face.min_overlap, 0.3);
    cr_assert_eq(c->crop.alignment, CROP_BOX);
    cr_assert_eq(c->crop.margin, 1.3);
    cr_assert(c->crop.square);
    cr_assert_eq(c->crop.width_px, 64);
    cr_assert_eq(c->crop.height_px, 48);
    cr_assert_eq(c->tensor.scale, 1.0 / 255);
    cr_assert_eq(c->tensor.mean[2], 0);
    cr_assert_eq(c->tensor.deviation[2], 1);
    cr_assert_eq(c->output.classes, 1);
    cr_assert_eq(c->output.fake_index, 0);
    cr_assert(!c->output.positive_is_real);
    cr_assert_eq(c->aggregation.frames, AGGREGATE_MEAN);
    cr_assert_eq(c->aggregation.clips, AGGREGATE_MEAN);
    cr_assert_eq(c->aggregation.tracks, AGGREGATE_MAX);
    cr_assert_eq(c->aggregation.top_k, 3);
    cr_assert_eq(c->calibration.temperature, 1);
    cr_assert_eq(c->calibration.bias, 0);
    card_close(&c);
    cr_assert_null(c);
    card_close(&c);
}

Test(card, every_given_key_is_read)
{
    struct card *c =
        expect_card(DETECTOR("faces") "\"sampling\":{\"mode\":\"uniform\",\"clips\":3,\"frames\":16,\"stride_"
                                      "s\":0.2,\"min_frames\":4},"
                                      "\"face\":{\"detector\":\"yunet\",\"min_face_px\":50,\"max_faces\":2,"
                                      "\"threshold\":0.7,\"search_side_px\":800,"
                                      "\"hold_frames\":0,\"min_overlap\":0.5},"
                                      "\"crop\":{\"alignment\":\"similarity\",\"margin\":1.1,\"square\":"
                                      "false,\"width_px\":112,\"height_px\":128},"
                                      "\"tensor\":{\"layout\":\"nhwc\",\"order\":\"bgr\",\"scale\":1,"
                                      "\"mean\":[1,2,3],\"deviation\":[4,5,6]},"
                                      "\"networks\":{\"frame\":{\"file\":\"f/"
                                      "frame.onnx\"},\"temporal\":[{\"file\":\"g1.onnx\",\"sha256\":\""
                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"},{"
                                      "\"file\":\"g2.onnx\"}]},"
                                      "\"output\":{\"meaning\":\"softmax\",\"classes\":2,\"fake_index\":1},"
                                      "\"aggregation\":{\"frames\":\"median\",\"clips\":\"top_k\",\"tracks\":"
                                      "\"mean_logit\",\"top_k\":5},"
                                      "\"calibration\":{\"temperature\":2.5,\"bias\":-0.5}}");

    cr_assert_eq(c->sampling.clips, 3);
    cr_assert_eq(c->sampling.stride_s, 0.2);
    cr_assert_eq(c->sampling.min_frames, 4);
    cr_assert_str_eq(c->face.detector, "yunet");
    cr_assert_eq(c->face.hold_frames, 0);
    cr_assert_eq(c->face.min_overlap, 0.5);
    cr_assert_eq(c->crop.alignment, CROP_SIMILARITY);
    cr_assert(!c->crop.square);
    cr_assert_eq(c->tensor.layout, TENSOR_NHWC);
    cr_assert_eq(c->tensor.order, CHANNELS_BGR);
    cr_assert_eq(c->tensor.mean[1], 2);
    cr_assert_eq(c->tensor.deviation[2], 6);
    cr_assert_eq(c->networks.n_temporal, 2);
    cr_assert_str_eq(card_network_at(c, 0)->file, "f/frame.onnx");
    cr_assert_str_eq(card_network_at(c, 1)->file, "g1.onnx");
    cr_assert_eq(strlen(c->networks.temporal[0].sha256), 64);
    cr_assert_str_eq(card_network_at(c, 2)->file, "g2.onnx");
    cr_assert_null(card_network_at(c, 3));
    cr_assert_eq(c->output.meaning, OUTPUT_SOFTMAX);
    cr_assert_eq(c->output.fake_index, 1);
    cr_assert_eq(c->aggregation.frames, AGGREGATE_MEDIAN);
    cr_assert_eq(c->aggregation.clips, AGGREGATE_TOP_K);
    cr_assert_eq(c->aggregation.tracks, AGGREGATE_MEAN_LOGIT);
    cr_assert_eq(c->aggregation.top_k, 5);
    cr_assert_eq(c->calibration.bias, -0.5);
    card_close(&c);
}

Test(card, a_description_has_every_key_that_applies)
{
    struct card *c = expect_card(SMALLEST);
    struct text t = {0};

    card_describe(c, &t);
    cr_assert(!t.failed);
    cr_assert_eq(
        strncmp(t.data, "{\"kind\":\"detector\",\"input\":\"faces\",\"name\":\"x\",\"sampling.mode\":\"uniform\"", 68),
        0, "%s", t.data);
    cr_assert(strstr(t.data, ",\"sampling.frames\":\"8\",") && strstr(t.data, ",\"crop.square\":\"true\",") &&
                  strstr(t.data, ",\"networks.frame.file\":\"a.onnx\",") &&
                  strstr(t.data, "\"tensor.mean\":\"0 0 0\"") && strstr(t.data, "\"aggregation.tracks\":\"max\""),
              "%s", t.data);
    cr_assert(!strstr(t.data, "landmark") && !strstr(t.data, "joint") && !strstr(t.data, "licence"), "%s", t.data);
    text_clear(&t);
    card_close(&c);
}

Test(card, landmark_cards_take_temporal_networks_with_features)
{
    struct card *c = expect_card(DETECTOR("landmarks") "\"landmark_points\":68,\"sampling\":{\"frames\":30},"
                                                       "\"networks\":{\"temporal\":[{\"file\":\"a\"},{\"file\":\"b\","
                                                       "\"features\":\"difference\"}]}" OUTPUT "}");

    cr_assert_eq(c->landmark_points, 68);
    cr_assert_eq(c->networks.temporal[0].features, FEATURES_ABSOLUTE);
    cr_assert_eq(c->networks.temporal[1].features, FEATURES_DIFFERENCE);
    card_close(&c);
    expect_error(DETECTOR("landmarks") "\"landmark_points\":68," SAMPLING CROP
                                       ",\"networks\":{\"temporal\":[{\"file\":\"a\"}]}" OUTPUT "}",
                 STATUS_INVALID, ": crop: has no meaning with input \"landmarks\"");
    expect_error(DETECTOR("landmarks") SAMPLING OUTPUT "}", STATUS_INVALID, ": landmark_points: missing");
}

Test(card, whole_frame_cards_need_no_face_detector)
{
    struct card *c = expect_card(DETECTOR("frames") SAMPLING CROP TENSOR FRAME OUTPUT "}");

    cr_assert_str_eq(c->face.detector, "none");
    card_close(&c);
    expect_error(DETECTOR("frames") SAMPLING FACE CROP TENSOR FRAME OUTPUT "}", STATUS_INVALID,
                 ": face.detector: input \"frames\" takes \"none\"");
    expect_error(DETECTOR("frames") SAMPLING ",\"face\":{\"threshold\":0.5}" CROP TENSOR FRAME OUTPUT "}",
                 STATUS_INVALID, ": face.threshold: has no meaning with input \"frames\"");
}

Test(card, face_detector_cards_count_their_networks)
{
    struct card *c = expect_card("{\"kind\":\"face_detector\"," HEAD
                                 ",\"architecture\":\"yunet\",\"face_networks\":[{\"file\":\"y.onnx\"}]}");

    cr_assert_eq(c->kind, CARD_FACE_DETECTOR);
    cr_assert_eq(c->architecture, FACE_YUNET);
    cr_assert_eq(c->n_face_networks, 1);
    cr_assert_str_eq(card_network_at(c, 0)->file, "y.onnx");
    card_close(&c);
    expect_error("{\"kind\":\"face_detector\"," HEAD
                 ",\"architecture\":\"mtcnn\",\"face_networks\":[{\"file\":\"y.onnx\"}]}",
                 STATUS_INVALID, ": face_networks: mtcnn takes three: P-Net, R-Net, O-Net");
    expect_error("{\"kind\":\"face_detector\"," HEAD ",\"architecture\":\"mtcnn\",\"face_networks\":[]}",
                 STATUS_INVALID, ": face_networks: 0 entries are not in 1..3");
    expect_error("{\"kind\":\"face_detector\"," HEAD "," SAMPLING "}", STATUS_INVALID,
                 ": sampling: has no meaning with kind \"face_detector\"");
}

/* Each case is SMALLEST with one part replaced. */
Test(card, a_broken_rule_names_the_key_the_value_and_the_rule)
{
#define WITH_SAMPLING(s) DETECTOR("faces") "\"sampling\":" s FACE CROP TENSOR FRAME OUTPUT "}"
#define WITH_TENSOR(t)   DETECTOR("faces") SAMPLING FACE CROP ",\"tensor\":" t FRAME OUTPUT "}"
#define WITH_NETWORKS(n) DETECTOR("faces") SAMPLING FACE CROP TENSOR ",\"networks\":" n OUTPUT "}"
#define WITH_OUTPUT(o)   DETECTOR("faces") SAMPLING FACE CROP TENSOR FRAME ",\"output\":" o "}"
    static const struct {
        const char *json, *text;
    } cases[] = {
        {WITH_SAMPLING("{\"frames\":0}"), ": sampling.frames: 0 is not in 1..300"},
        {WITH_SAMPLING("{\"frames\":301}"), ": sampling.frames: 301 is not in 1..300"},
        {WITH_SAMPLING("{\"frames\":-1}"), ": sampling.frames: -1 is not in 1..300"},
        {WITH_SAMPLING("{\"frames\":2.5}"), ": sampling.frames: 2.5 is not a whole number"},
        {WITH_SAMPLING("{\"frames\":\"8\"}"), ": sampling.frames: a number is wanted, not a string"},
        {WITH_SAMPLING("{\"frames\":null}"), ": sampling.frames: a number is wanted, not null"},
        {WITH_SAMPLING("{\"clips\":2}"), ": sampling.frames: missing"},
        {WITH_SAMPLING("{\"frames\":8,\"min_frames\":9}"), ": sampling.min_frames: more than sampling.frames"},
        {WITH_SAMPLING("{\"frames\":8,\"stride_s\":60.5}"), ": sampling.stride_s: 60.5 is not in 0..60"},
        {WITH_SAMPLING("{\"frames\":8,\"framez\":9}"), ": sampling.framez: unknown key (known here: mode, clips, "
                                                       "frames, stride_s, stride_frames, overlap, min_frames, ends)"},
        {WITH_SAMPLING("{\"frames\":8,\"mode\":\"every\"}"),
         ": sampling.mode: \"every\" is not one of uniform, keyframe, all"},
        {WITH_SAMPLING("{\"frames\":8,\"mode\":\"all\",\"clips\":2}"),
         ": sampling.clips: not with mode \"all\": the video's length says how many"},
        {WITH_SAMPLING("{\"frames\":8,\"stride_s\":0.1,\"stride_frames\":2}"),
         ": sampling.stride_frames: one stride is wanted, in seconds or in frames"},
        {WITH_SAMPLING("{\"frames\":8,\"mode\":\"all\",\"overlap\":0.995}"),
         ": sampling.overlap: 0.995 is not in 0..0.99"},
        {WITH_SAMPLING("[8]"), ": sampling: an object is wanted, not an array"},
        {WITH_TENSOR("{\"layout\":\"nchw\",\"order\":\"rgb\",\"mean\":[0,0]}"),
         ": tensor.mean: an array of three numbers is wanted, not an array"},
        {WITH_TENSOR("{\"layout\":\"nchw\",\"order\":\"rgb\",\"deviation\":[1,0,1]}"),
         ": tensor.deviation: 0 is not in 1e-06..10000"},
        {WITH_TENSOR("{\"layout\":\"ntchw\",\"order\":\"rgb\"}"),
         ": tensor.layout: a frame network takes nchw or nhwc"},
        {WITH_TENSOR("{\"layout\":\"nchw\"}"), ": tensor.order: missing"},
        {WITH_NETWORKS("{}"), ": networks: exactly one of joint and frame is wanted"},
        {WITH_NETWORKS("{\"joint\":{\"file\":\"a\"},\"frame\":{\"file\":\"b\"}}"),
         ": networks: exactly one of joint and frame is wanted"},
        {WITH_NETWORKS("{\"joint\":{\"file\":\"a\"}}"), ": tensor.layout: a joint network takes ntchw or ncthw"},
        {WITH_NETWORKS("{\"joint\":{\"file\":\"a\"},\"temporal\":[{\"file\":\"b\"}]}"),
         ": networks.temporal: stands behind a frame network, not behind a joint one"},
        {WITH_NETWORKS("{\"frame\":{\"file\":\"a\"},\"temporal\":[{\"file\":\"b\",\"features\":\"difference\"}]}"),
         ": networks.temporal[0].features: has no meaning with input \"faces\""},
        {WITH_NETWORKS("{\"frame\":{\"file\":\"a\"},\"temporal\":[{\"file\":\"b\"},{}]}"),
         ": networks.temporal[1].file: missing"},
        {WITH_NETWORKS("{\"frame\":{\"file\":\"a\"},\"temporal\":[{\"file\":\"b\"},3]}"),
         ": networks.temporal[1]: an object is wanted, not a number"},
        {WITH_NETWORKS("{\"frame\":{\"file\":\"a\",\"sha256\":\"AB\"}}"),
         ": networks.frame.sha256: \"AB\" is not 64 lower-case hexadecimal digits"},
        {WITH_OUTPUT("{\"meaning\":\"softmax\"}"), ": output.classes: softmax takes at least 2"},
        {WITH_OUTPUT("{\"meaning\":\"softmax\",\"classes\":2,\"fake_index\":2}"),
         ": output.fake_index: 2 is not below output.classes, 2"},
        {WITH_OUTPUT("{\"meaning\":\"logit\",\"classes\":2}"),
         ": output.classes: logit takes 1; softmax takes logits of several classes"},
        {WITH_OUTPUT("{\"meaning\":\"softmax\",\"classes\":2,\"positive_is_real\":true}"),
         ": output.positive_is_real: only for one class; give fake_index instead"},
        {WITH_OUTPUT("{\"meaning\":\"probability\",\"positive_is_real\":1}"),
         ": output.positive_is_real: true or false is wanted, not a number"},
        {WITH_OUTPUT("{\"meaning\":\"odds\"}"), ": output.meaning: \"odds\" is not one of probability, logit, softmax"},
        {"{\"kind\":\"thing\"}", ": kind: \"thing\" is not one of detector, face_detector, ensemble, features"},
        {"{\"kind\":\"detector\"}", ": input: missing"},
        {"{\"input\":\"faces\"}", ": kind: missing"},
        {"[]", ": the card: an object is wanted, not an array"},
        {DETECTOR("faces") "\"surprise\":1}", ": surprise: unknown key (known here: kind, input, name, "
                                              "title, licence, provenance, worth, notes, sampling, face, crop, "
                                              "tensor, networks, output, aggregation, calibration)"},
        {DETECTOR("faces") SAMPLING ",\"face\":{\"detector\":\"../mtcnn\"}}",
         ": face.detector: \"../mtcnn\" is not a name (a-z, 0-9, '.', '_', '-', no dot first)"},
        {DETECTOR("faces") SAMPLING ",\"face\":{\"detector\":\"none\"}" CROP TENSOR FRAME OUTPUT "}",
         ": face.detector: input \"faces\" needs a face detector"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_error(cases[i].json, STATUS_INVALID, cases[i].text);
}

Test(card, a_file_cannot_lead_out_of_the_cards_folder)
{
    static const char *const bad[] = {"",    "/etc/passwd", "../a.onnx", "a/../../b", "a//b",
                                      "./a", "a/..",        "..",        ".",         "a/"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char json[1024], text[256];

        snprintf(json, sizeof(json), WITH_NETWORKS("{\"frame\":{\"file\":\"%s\"}}"), bad[i]);
        snprintf(text, sizeof(text),
                 ": networks.frame.file: \"%s\" is not a path inside the card's folder (relative, without . "
                 "and ..)",
                 bad[i]);
        expect_error(json, STATUS_INVALID, text);
    }
}

Test(card, text_that_is_not_strict_json_is_told_with_its_place)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"", ":1:1: not JSON: the file ends where a value is wanted"},
        {"{\n  \"kind\": detector}",
         ":2:11: not JSON: a value is wanted (an object, array, string, number, true, false or null)"},
        {"{\"a\":1,}", ":1:8: not JSON: a string in double quotes is wanted"},
        {"{\"a\" 1}", ":1:6: not JSON: ':' is wanted after a key"},
        {"{\"a\":01}", ":1:7: not JSON: a number with a leading zero"},
        {"{\"a\":1.}", ":1:8: not JSON: a digit is wanted"},
        {"{\"a\":NaN}", ":1:6: not JSON: a value is wanted (an object, array, string, number, true, false or null)"},
        {"{\"a\":1} x", ":1:9: not JSON: something follows the value"},
        {"{\"a\":\"b", ":1:8: not JSON: the file ends inside a string"},
        {"{\"a\":\"b\n\"}", ":1:8: not JSON: a control byte in a string"},
        {"{\"a\":\"\\q\"}", ":1:8: not JSON: an escape that JSON does not know"},
        {"{\"a\":\"\\u0000\"}", ":1:9: not JSON: \\u0000 in a string"},
        {"{\"a\":[1 2]}", ":1:9: not JSON: ',' or ']' is wanted"},
        {"{\"a\":1 \"b\":2}", ":1:8: not JSON: ',' or '}' is wanted"},
        {"[[[[[[[[[[[[[[[[[[[[", ":1:18: not JSON: nested too deep"},
        {"{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", ": b.c: given twice"},
        {"{\"a\":1e999}", ": a: a number beyond the range of a double"},
        {"{\"a\":\"\\ud800\"}", ": not JSON that can be held (a broken \\u surrogate pair?)"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_error(cases[i].json, STATUS_CORRUPT, cases[i].text);
}

Test(card, a_missing_or_huge_file_is_told)
{
    struct card *c = NULL;
    struct error e = {0};
    size_t len = CARD_MAX_BYTES + 1;
    char *big = malloc(len + 1);

    cr_assert_eq(card_load("/nonexistent/card.json", &c, &e), STATUS_NOT_FOUND);
    cr_assert_str_eq(e.text, "/nonexistent/card.json: cannot open: No such file or directory");
    memset(big, ' ', len);
    big[len] = '\0';
    expect_error(big, STATUS_INVALID, ": larger than 1048576 bytes");
    free(big);
}

static void digest(const char *json, char hex[SHA256_HEX_BYTES])
{
    struct card *c = expect_card(json);
    struct hasher *h = hasher_open();

    card_hash(c, h);
    hasher_finish(h, hex);
    hasher_close(&h);
    card_close(&c);
}

/* Keys that came later change it only where they are used: cards from before keep their hash. */
#define WITH_FACE(f) DETECTOR("faces") SAMPLING ",\"face\":{\"detector\":\"mtcnn\"," f "}" CROP TENSOR FRAME OUTPUT "}"

#define WITH_CROP(c)                                                                                                   \
    DETECTOR("faces") SAMPLING FACE ",\"crop\":{\"width_px\":64,\"height_px\":48," c "}" TENSOR FRAME OUTPUT "}"
#define WITH_NOTES(n) DETECTOR("faces") SAMPLING FACE CROP TENSOR FRAME OUTPUT ",\"notes\":" n "}"
#define TEMPLATE(nose)                                                                                                 \
    "\"template\":{\"right_eye\":[10,20],\"left_eye\":[50,20],\"nose\":" nose                                          \
    ",\"right_mouth\":[14,50],\"left_mouth\":[46,50]}"

Test(card, its_hash_changes_with_what_scores_and_not_with_its_texts)
{
    static const char *const same[] = {
        DETECTOR("faces") SAMPLING FACE CROP TENSOR OUTPUT FRAME "}",
        DETECTOR("faces") "\"sampling\":{\"frames\":8,\"clips\":1}" FACE CROP TENSOR FRAME OUTPUT "}",
        WITH_FACE("\"detect_every\":1,\"follow\":\"overlap\",\"smooth\":0"),
        WITH_SAMPLING("{\"frames\":8,\"ends\":false}"),
        WITH_CROP("\"region\":\"between_eyes\",\"reach_x\":1,\"reach_y\":1"),
        WITH_CROP("\"template\":{\"right_eye\":[0,0],\"left_eye\":[0,0],\"nose\":[0,0],\"right_mouth\":[0,0],"
                  "\"left_mouth\":[0,0]}"),
        WITH_NOTES("{\"published\":[{\"what\":\"AUC\",\"value\":\".9\",\"source\":\"a paper\"}],\"weights\":\"ask\"}"),
        "{\"kind\":\"detector\",\"input\":\"faces\",\"name\":\"x\",\"title\":\"Another\",\"licence\":\"?\","
        "\"provenance\":\"\","
        "\"worth\":\"much\"," SAMPLING FACE CROP TENSOR OUTPUT ",\"networks\":{\"frame\":{\"file\":\"b.onnx\"}}}",
    };
    static const char *const other[] = {
        WITH_SAMPLING("{\"frames\":9}"),
        WITH_SAMPLING("{\"frames\":8,\"clips\":2}"),
        WITH_TENSOR("{\"layout\":\"nchw\",\"order\":\"bgr\"}"),
        WITH_TENSOR("{\"layout\":\"nchw\",\"order\":\"rgb\",\"mean\":[0,0,1e-9]}"),
        WITH_NETWORKS("{\"frame\":{\"file\":\"a.onnx\"},\"temporal\":[{\"file\":\"b.onnx\"}]}"),
        WITH_OUTPUT("{\"meaning\":\"logit\"}"),
        WITH_OUTPUT("{\"meaning\":\"probability\",\"positive_is_real\":true}"),
        WITH_FACE("\"detect_every\":2"),
        WITH_FACE("\"follow\":\"motion\""),
        WITH_FACE("\"smooth\":0.1"),
        WITH_SAMPLING("{\"frames\":8,\"ends\":true}"),
        WITH_TENSOR("{\"layout\":\"nchw\",\"order\":\"grey\"}"),
        WITH_CROP("\"alignment\":\"similarity\""),
        WITH_CROP("\"alignment\":\"eyes\""),
        WITH_CROP("\"alignment\":\"eyes\",\"region\":\"mouth\""),
        WITH_CROP("\"alignment\":\"eyes\",\"reach_y\":1.5"),
        WITH_CROP("\"alignment\":\"similarity\"," TEMPLATE("[70,80]")),
        WITH_CROP("\"alignment\":\"similarity\"," TEMPLATE("[70,81]")),
        DETECTOR("faces") SAMPLING ",\"face\":{\"detector\":\"yunet\"}" CROP TENSOR FRAME OUTPUT "}",
    };
    char want[SHA256_HEX_BYTES], got[SHA256_HEX_BYTES];

    digest(SMALLEST, want);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        digest(same[i], got);
        cr_assert_str_eq(got, want, "same %zu", i);
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        digest(other[i], got);
        cr_assert_str_neq(got, want, "other %zu", i);
    }
}

/* Keys of an alignment, of a sampling and of a kind that would do nothing are told. */
Test(card, what_would_have_no_effect_is_an_error)
{
    expect_error(WITH_CROP(TEMPLATE("[70,80]")), STATUS_INVALID,
                 ": crop.template: only with crop.alignment \"similarity\"");
    expect_error(WITH_CROP("\"region\":\"mouth\""), STATUS_INVALID, ": crop.region: only with crop.alignment \"eyes\"");
    expect_error(WITH_CROP("\"reach_x\":2"), STATUS_INVALID, ": crop.reach_x: only with crop.alignment \"eyes\"");
    expect_error(WITH_CROP("\"reach_y\":2"), STATUS_INVALID, ": crop.reach_y: only with crop.alignment \"eyes\"");
    expect_error(WITH_CROP("\"alignment\":\"eyes\",\"region\":\"ear\""), STATUS_INVALID,
                 ": crop.region: \"ear\" is not one of between_eyes, right_eye, left_eye, mouth");
    expect_error(WITH_CROP("\"alignment\":\"similarity\",\"template\":{\"nose\":[1,2]}"), STATUS_INVALID,
                 ": crop.template.right_eye: missing");
    expect_error(WITH_CROP("\"alignment\":\"similarity\"," TEMPLATE("[1,2,3]")), STATUS_INVALID,
                 ": crop.template.nose: an array of two numbers is wanted, not an array");
    expect_error(WITH_SAMPLING("{\"frames\":8,\"ends\":true,\"stride_frames\":1}"), STATUS_INVALID,
                 ": sampling.ends: only with mode \"uniform\" and without a stride");
    expect_error(
        "{\"kind\":\"features\",\"name\":\"x\",\"title\":\"t\",\"licence\":\"l\",\"provenance\":\"p\"" CROP TENSOR FRAME
        ",\"output\":{\"meaning\":\"logit\"}}",
        STATUS_INVALID, ": output: has no meaning with kind \"features\"");
}

Test(card, a_network_of_features_has_a_picture_and_no_score)
{
    struct card *c = expect_card("{\"kind\":\"features\",\"name\":\"x\",\"title\":\"t\",\"licence\":\"l\","
                                 "\"provenance\":\"p\"" CROP TENSOR FRAME "}");

    cr_assert_eq(c->kind, CARD_FEATURES);
    cr_assert_str_eq(card_network_at(c, 0)->file, "a.onnx");
    cr_assert_null(card_network_at(c, 1));
    card_close(&c);
}

Test(card, notes_are_read_and_bounded)
{
    struct card *c =
        expect_card(WITH_NOTES("{\"measured\":[{\"what\":\"AUC\",\"value\":\".74\",\"source\":\"35 clips\"}],"
                               "\"departures\":[{\"text\":\"a\"},{\"text\":\"b\"}]}"));

    cr_assert_eq(c->notes.n_measured, 1);
    cr_assert_str_eq(c->notes.measured[0].value, ".74");
    cr_assert_eq(c->notes.n_departures, 2);
    cr_assert_str_eq(c->notes.departures[1].text, "b");
    card_close(&c);
    expect_error(WITH_NOTES("{\"measured\":[{\"what\":\"AUC\",\"value\":\".74\"}]}"), STATUS_INVALID,
                 ": notes.measured[0].source: missing");
    expect_error(WITH_NOTES("{\"measured\":[]}"), STATUS_INVALID, ": notes.measured: 0 entries are not in 1..12");
}

Test(card, every_shipped_card_loads_under_its_folders_name)
{
    DIR *d = opendir(FAKESIFT_SOURCE_DIR "/models/cards");
    struct dirent *entry;
    int n = 0;

    cr_assert_not_null(d);
    while ((entry = readdir(d)) != NULL) {
        struct card *c = NULL;
        struct error e = {0};
        char file[512];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/models/cards/%s/card.json", FAKESIFT_SOURCE_DIR, entry->d_name);
        cr_assert_eq(card_load(file, &c, &e), STATUS_OK, "%s", e.text);
        cr_assert_str_eq(c->name, entry->d_name);
        card_close(&c);
        n++;
    }
    closedir(d);
    cr_assert_geq(n, 7);
}

/* A path is documented as `sampling.frames`, or as `file` where the tables of several keys share an object.
 */
static void expect_documented(const char *doc, const struct field *fields, const char *prefix)
{
    for (const struct field *f = fields; f->key; f++) {
        char quoted[128], below[96];

        snprintf(below, sizeof(below), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", f->key);
        snprintf(quoted, sizeof(quoted), "`%s`", below);
        if (f->type == FIELD_SECTION && f->fields[0].type != FIELD_FILE)
            expect_documented(doc, f->fields, below);
        else
            cr_assert_not_null(strstr(doc, quoted), "docs/DETECTORS.md does not tell of %s", below);
        if (f->type == FIELD_LIST || (f->type == FIELD_SECTION && f->fields[0].type == FIELD_FILE))
            expect_documented(doc, f->fields, "");
    }
}

Test(card, every_key_is_documented_and_the_documents_card_loads)
{
    struct error e = {0};
    char *doc = NULL, *json, *end;
    size_t len = 0;
    struct card *c;

    cr_assert_eq(file_read(FAKESIFT_SOURCE_DIR "/docs/DETECTORS.md", 1 << 20, &doc, &len, &e), STATUS_OK, "%s", e.text);
    expect_documented(doc, card_fields, "");
    json = strstr(doc, "```json\n") + 8;
    end = strstr(json, "```");
    *end = '\0';
    c = expect_card(json);
    cr_assert_str_eq(c->name, "mine");
    card_close(&c);
    free(doc);
}
