/* 16-bit floats by their definition: every value is exact in float32, and the middle of two neighbours decides. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/half.h"

static bool is_nan(uint16_t h, uint16_t infinity)
{
    return (h & 0x7fff) > infinity;
}

Test(half, every_value_survives_widening)
{
    for (uint32_t i = 0; i <= 0xffff; i++) {
        uint16_t h = (uint16_t)i;

        if (is_nan(h, 0x7c00)) {
            cr_assert(isnan(half_to_float(h)));
            cr_assert(isnan(half_to_float(half_from_float(half_to_float(h)))));
        } else {
            cr_assert_eq(half_from_float(half_to_float(h)), h, "%x", i);
            cr_assert_eq(half_from_double((double)half_to_float(h)), h, "%x", i);
        }
        if (is_nan(h, 0x7f80)) {
            cr_assert(isnan(bfloat_to_float(bfloat_from_float(bfloat_to_float(h)))));
        } else {
            cr_assert_eq(bfloat_from_float(bfloat_to_float(h)), h, "%x", i);
            cr_assert_eq(bfloat_from_double((double)bfloat_to_float(h)), h, "%x", i);
        }
    }
}

Test(half, knows_landmarks_of_the_formats)
{
    cr_assert_eq(half_to_float(0x3c00), 1.0f);
    cr_assert_eq(half_to_float(0x7bff), 65504.0f);
    cr_assert_eq(half_to_float(0x0001), 0x1p-24f);
    cr_assert_eq(half_to_float(0x0400), 0x1p-14f);
    cr_assert_eq(half_to_float(0xc000), -2.0f);
    cr_assert(isinf(half_to_float(0xfc00)));
    cr_assert_eq(half_from_float(65519.996f), 0x7bff);
    cr_assert_eq(half_from_float(65520.0f), 0x7c00);
    cr_assert_eq(half_from_float(-1e30f), 0xfc00);
    cr_assert_eq(half_from_float(0x1p-25f), 0);
    cr_assert_eq(half_from_float(-0x1.000002p-25f), 0x8001);
    cr_assert_eq(half_from_double(1e300), 0x7c00);
    cr_assert_eq(bfloat_to_float(0x3f80), 1.0f);
    cr_assert_eq(bfloat_from_float(3.4e38f), 0x7f80);
    cr_assert_eq(bfloat_from_double(-1e300), 0xff80);
}

/* Between two neighbours the middle goes to the even one, and anything beside it to the nearer. */
static void check_neighbours(uint16_t last, float (*widen)(uint16_t), uint16_t (*from_float)(float),
                             uint16_t (*from_double)(double))
{
    for (uint16_t h = 0; h < last; h++) {
        double low = (double)widen(h), high = (double)widen((uint16_t)(h + 1)), middle = (low + high) / 2;
        uint16_t even = h & 1 ? (uint16_t)(h + 1) : h;

        cr_assert_eq(from_double(middle), even, "%x", h);
        cr_assert_eq(from_double(nextafter(middle, low)), h, "%x", h);
        cr_assert_eq(from_double(nextafter(middle, high)), h + 1, "%x", h);
        cr_assert_eq(from_double(-nextafter(middle, high)), (h + 1) | 0x8000, "%x", h);
        /* Nearer to the middle than a float can say: rounded twice, it would go astray. */
        cr_assert_eq(from_float((float)middle), even, "%x", h);
        cr_assert_eq(from_float(nextafterf((float)middle, (float)low)), h, "%x", h);
        cr_assert_eq(from_float(nextafterf((float)middle, (float)high)), h + 1, "%x", h);
    }
}

Test(half, rounds_once_to_the_nearest_and_ties_to_even)
{
    check_neighbours(0x7bff, half_to_float, half_from_float, half_from_double);
    check_neighbours(0x7f7f, bfloat_to_float, bfloat_from_float, bfloat_from_double);
}

Test(half, lists_convert_as_single_values)
{
    uint16_t halves[5] = {0x3c00, 0x0001, 0xfbff, 0x8000, 0x7c00}, back[5];
    float wide[5];

    half_widen(TENSOR_F16, halves, wide, 5);
    half_narrow(TENSOR_F16, wide, back, 5);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(wide[i], half_to_float(halves[i]));
        cr_assert_eq(back[i], halves[i]);
    }
    half_widen(TENSOR_BF16, halves, wide, 5);
    half_narrow(TENSOR_BF16, wide, back, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(back[i], halves[i]);
}
