// ACTIVATIONS makes of 64 columns of two rows in wideForm, at R6, eight registers V8-V15 of 2 rows × 8 columns.
#define ACTIVATIONS \
	FLDPQ (R6), (F0, F1) \
	FLDPQ 32(R6), (F2, F3) \
	FLDPQ 144(R6), (F4, F5) \
	FLDPQ 176(R6), (F6, F7) \
	VZIP1 V4.D2, V0.D2, V8.D2 \
	VZIP2 V4.D2, V0.D2, V9.D2 \
	VZIP1 V5.D2, V1.D2, V10.D2 \
	VZIP2 V5.D2, V1.D2, V11.D2 \
	VZIP1 V6.D2, V2.D2, V12.D2 \
	VZIP2 V6.D2, V2.D2, V13.D2 \
	VZIP1 V7.D2, V3.D2, V14.D2 \
	VZIP2 V7.D2, V3.D2, V15.D2
