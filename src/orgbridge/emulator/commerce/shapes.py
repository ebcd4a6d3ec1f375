"""Properties of the Connect bodies of carts, checkouts and orders, with the API version that first returns each.

A property that a version does not know is left out; one that a caller leaves unset is null.
Source: facts/commerce/carts.md section 5, checkout.md section 6, orders.md section 2.
"""

from __future__ import annotations

from orgbridge.emulator.commerce.versions import Shape

CART_SUMMARY: Shape = {
    "accountId": 49,
    "asyncOperationStatus": 59,
    "cartId": 49,
    "currencyIsoCode": 49,
    "customFields": 61,
    "firstPymtGrandTotalAmount": 60,
    "firstPymtTotalAmount": 63,
    "firstPymtTotalListPrice": 63,
    "firstPymtTotalTaxAmount": 60,
    "grandTotalAmount": 49,
    "hasGift": 64,
    "isSecondary": 53,
    "name": 49,
    "ownerId": 49,
    "orderOwnerId": 58,
    "purchaseOrderNumber": 50,
    "status": 49,
    "taxType": 55,
    "totalAmountWithItemAdjustment": 61,
    "totalCartLevelAdjustmentAmount": 61,
    "totalChargeAmount": 49,
    "totalListPrice": 49,
    "totalProductAmount": 49,
    "totalProductAmountAfterAdjustments": 52,
    "totalProductCount": 49,
    "totalProductLineItemCount": 60,
    "totalProductListAmount": 59,
    "totalPromotionalAdjustmentAmount": 52,
    "totalSubProductCount": 60,
    "totalTaxAmount": 49,
    "type": 49,
    "uniqueProductCount": 49,
    "webstoreId": 49,
}
CART_COMPACT_SUMMARY: Shape = {"cartId": 64, "currencyIsoCode": 64, "totalProductCount": 64, "uniqueProductCount": 64}
CART_ITEM: Shape = {
    "billingFrequency": 59,
    "cartData": 64,
    "cartDeliveryGroupId": 60,
    "cartId": 49,
    "cartItemId": 49,
    "childProductCount": 62,
    "currencyIsoCode": 57,
    "customFields": 61,
    "firstPymtTotalAmount": 60,
    "firstPymtTotalListPrice": 63,
    "firstPymtTotalPrice": 60,
    "firstPymtTotalTax": 60,
    "isShippingChargeNotApplicable": 64,
    "itemizedAdjustmentAmount": 52,
    "listPrice": 49,
    "messagesSummary": 49,
    "name": 49,
    "parentCartItemId": 62,
    "productClass": 62,
    "productDetails": 49,
    "productId": 49,
    "productSellingModelId": 59,
    "promotionDisplayName": 64,
    "quantity": 49,
    "salesPrice": 49,
    "sellingModelType": 60,
    "subscriptionTerm": 59,
    "subType": 64,
    "totalAdjustmentAmount": 50,
    "totalAmount": 49,
    "totalListPrice": 49,
    "totalPrice": 49,
    "totalTax": 49,
    "type": 49,
    "unitAdjustedPrice": 50,
    "unitAdjustedPriceWithItemAdj": 61,
    "unitAdjustmentAmount": 50,
    "unitItemAdjustmentAmount": 61,
}
CART_ITEM_WITHOUT_PRICE: Shape = {
    "billingFrequency": 59,
    "cartDeliveryGroupId": 60,
    "cartId": 49,
    "cartItemId": 49,
    "messagesSummary": 49,
    "name": 49,
    "productDetails": 49,
    "productId": 49,
    "productSellingModelId": 59,
    "quantity": 49,
    "sellingModelType": 60,
    "subscriptionTerm": 59,
    "type": 49,
}
CART_ITEM_PRODUCT: Shape = {
    "fields": 49,
    "isConfigurationAllowed": 65,
    "name": 49,
    "productClass": 63,
    "productId": 49,
    "productSubscriptionInformation": 59,
    "purchaseQuantityRule": 52,
    "productUrlName": 64,
    "sku": 49,
    "thumbnailImage": 49,
    "variationAttributes": 50,
}
CART_PRODUCT_ATTRIBUTE: Shape = {"label": 50, "sequence": 50, "value": 50}
PURCHASE_QUANTITY_RULE: Shape = {"increment": 52, "maximum": 52, "minimum": 52}
PRODUCT_MEDIA: Shape = {
    "alternateText": 49,
    "contentVersionId": 49,
    "id": 49,
    "mediaType": 49,
    "sortOrder": 49,
    "thumbnailUrl": 49,
    "title": 49,
    "url": 49,
}
CART_ITEM_COLLECTION: Shape = {
    "approachingDiscounts": 64,
    "cartCoupons": 59,
    "cartItems": 49,
    "cartPromotions": 59,
    "cartSummary": 49,
    "currentPage": 60,
    "currentPageToken": 49,
    "currentPageUrl": 49,
    "hasErrors": 49,
    "nextPageToken": 49,
    "nextPageUrl": 49,
    "previousPageToken": 49,
    "previousPageUrl": 49,
    "totalItemCount": 60,
    "totalNumberOfPages": 60,
}
CART_ITEM_RESULT: Shape = {"cartItem": 49, "message": 49, "status": 49}
CART_MESSAGES_SUMMARY: Shape = {
    "errorCount": 49,
    "hasErrors": 49,
    "limitedMessages": 49,
    "relatedEntityId": 49,
    "totalLineItemsWithErrors": 50,
}
CART_MESSAGE: Shape = {"message": 49, "messageId": 49, "relatedEntityId": 49, "severity": 49, "type": 49, "visible": 49}
BATCH_RESULTS: Shape = {"hasErrors": 28, "results": 23}
BATCH_RESULT_ITEM: Shape = {"result": 0, "statusCode": 23}
CART_COUPON_COLLECTION: Shape = {"cartCoupons": 54, "cartId": 54, "cartStatus": 54, "ownerId": 54}
CART_COUPON: Shape = {"cartCouponId": 54, "couponCode": 54, "customFields": 63}
CART_PROMOTION_COLLECTION: Shape = {"cartId": 53, "cartStatus": 53, "currencyIsoCode": 53, "promotions": 53}
CART_PROMOTION: Shape = {
    "adjustmentAmount": 53,
    "couponCode": 53,
    "currencyIsoCode": 57,
    "displayName": 53,
    "promotionId": 53,
    "targetType": 53,
    "termsAndConditions": 53,
}
CART_ITEM_PROMOTION_COLLECTION: Shape = {"currencyIsoCode": 53, "items": 53}
CART_TO_WISHLIST_RESULT: Shape = {"productsAddedCount": 50, "wishlistId": 50}
COMMERCE_ACTION_RESULT: Shape = {"isSuccess": 53, "message": 53}
CART_SUMMARY_RESULT: Shape = {"data": 62, "message": 62, "status": 62}
DELIVERY_GROUP_COLLECTION: Shape = {"count": 55, "items": 55}
DELIVERY_GROUP: Shape = {
    "availableDeliveryMethods": 55,
    "cartId": 59,
    "cartItems": 59,
    "deliveryAddress": 55,
    "desiredDeliveryDate": 55,
    "errors": 63,
    "giftMessage": 64,
    "giftToName": 64,
    "id": 55,
    "isAllDigitalCartItems": 64,
    "isDefault": 59,
    "isGift": 64,
    "name": 59,
    "selectedDeliveryMethod": 55,
    "shippingInstructions": 55,
    "totalCartItemCount": 63,
    "totalProductAmount": 62,
}
DELIVERY_METHOD: Shape = {
    "adjustedShippingFee": 60,
    "carrier": 55,
    "classOfService": 55,
    "currencyIsoCode": 55,
    "earliestEstimatedDeliveryTime": 61,
    "id": 55,
    "latestEstimatedDeliveryTime": 61,
    "name": 55,
    "processTime": 61,
    "processTimeUnit": 61,
    "shippingFee": 55,
    "totalAdjustmentAmount": 60,
    "transitTimeMax": 61,
    "transitTimeMin": 61,
    "transitTimeUnit": 61,
}
PRODUCT_CART_ITEM_COLLECTION: Shape = {
    "count": 60,
    "currentPage": 60,
    "hasErrors": 60,
    "products": 60,
    "totalItemCount": 60,
    "totalNumberOfPages": 60,
}
PRODUCT_CART_ITEM: Shape = {"cartItems": 60, "product": 60}
PRESERVE_CART_OUTPUT: Shape = {
    "cartId": 60,
    "currencyIsoCode": 60,
    "failedCartItems": 60,
    "numberOfProducts": 60,
    "numberOfProductsWithError": 60,
    "numberOfProductsWithSuccess": 60,
    "succeededCartItems": 60,
}
CART_INVENTORY_RESERVATION: Shape = {
    "errorCode": 58,
    "errorMessage": 58,
    "inventoryItemReservations": 58,
    "reservationIdentifier": 58,
    "success": 58,
}
CART_INVENTORY_ITEM_RESERVATION: Shape = {
    "errorCode": 58,
    "errorMessage": 58,
    "id": 58,
    "itemReservationSourceId": 58,
    "productId": 58,
    "quantity": 58,
    "reservedAtLocationId": 58,
}
CHECKOUT: Shape = {
    "cartSummary": 61,
    "checkoutId": 55,
    "contactInfo": 55,
    "customFields": 62,
    "deliveryGroups": 55,
    "errors": 55,
    "orderReferenceNumber": 61,
    "statusCode": 57,
}
CHECKOUT_ADDRESS: Shape = {
    "city": 55,
    "country": 55,
    "firstName": 57,
    "id": 55,
    "isDefault": 55,
    "lastName": 57,
    "name": 55,
    "postalCode": 55,
    "region": 55,
    "shipToPhoneNumber": 63,
    "street": 55,
}
CONTACT_INFORMATION: Shape = {"email": 55, "firstName": 55, "lastName": 55, "phoneNumber": 55}
CHECKOUT_PAYMENT: Shape = {"errors": 55, "paymentData": 55, "salesforceResultCode": 55}
CHECKOUT_ORDER: Shape = {"errors": 55, "orderReferenceNumber": 55}
CHECKOUT_ORDER_ACTION_COLLECTION: Shape = {"actions": 64, "errors": 64}
CHECKOUT_ORDER_ACTION: Shape = {"action": 64, "orderReferenceNumber": 64}
CHECKOUT_ERROR: Shape = {"detail": 55, "instance": 55, "invalidParameters": 55, "title": 55, "type": 55}
PAYMENT_TOKEN: Shape = {"errors": 55, "token": 55}
CHECKOUT_SETTINGS: Shape = {"isManagedCheckoutEnabled": 61, "paymentConfiguration": 61, "shippingMethodsEnabled": 62}
ORDER_SUMMARY_COLLECTION: Shape = {
    "count": 51,
    "currentPageToken": 51,
    "currentPageUrl": 51,
    "nextPageToken": 51,
    "nextPageUrl": 51,
    "orderSummaries": 51,
    "previousPageToken": 51,
    "previousPageUrl": 51,
    "sortOrder": 51,
}
ORDER_SUMMARY: Shape = {
    "adjustmentAggregates": 55,
    "createdDate": 51,
    "currencyIsoCode": 57,
    "fields": 51,
    "orderNumber": 51,
    "orderProductTopLevelLineCount": 62,
    "orderSummaryId": 51,
    "orderedDate": 51,
    "ownerId": 51,
    "products": 61,
    "status": 51,
    "totalAmount": 51,
}
RECORD_FIELD: Shape = {"label": 29, "text": 29, "type": 29}
ORDER_ITEM_SUMMARY_COLLECTION: Shape = {
    "currentPageToken": 51,
    "currentPageUrl": 51,
    "items": 51,
    "nextPageToken": 51,
    "nextPageUrl": 51,
    "previousPageToken": 51,
    "previousPageUrl": 51,
}
ORDER_ITEM_SUMMARY: Shape = {
    "adjustmentAggregates": 55,
    "fields": 51,
    "orderItemSummaryId": 51,
    "orderSummaryId": 51,
    "product": 51,
}
ORDER_ITEM_SUMMARY_PRODUCT: Shape = {
    "canViewProduct": 51,
    "errorCode": 51,
    "errorMessage": 51,
    "fields": 51,
    "media": 51,
    "productAttributes": 51,
    "productId": 51,
}
ORDER_DELIVERY_GROUP_SUMMARY_COLLECTION: Shape = {
    "currentPageToken": 51,
    "currentPageUrl": 51,
    "nextPageToken": 51,
    "nextPageUrl": 51,
    "orderDeliveryGroups": 51,
    "previousPageToken": 51,
    "previousPageUrl": 51,
}
ORDER_SHIPMENT_COLLECTION: Shape = {
    "count": 52,
    "currentPageToken": 52,
    "currentPageUrl": 52,
    "nextPageToken": 52,
    "nextPageUrl": 52,
    "previousPageToken": 52,
    "previousPageUrl": 52,
    "shipments": 52,
    "sortOrder": 52,
}
ORDER_SHIPMENT: Shape = {
    "expectedDeliveryDate": 52,
    "fields": 52,
    "orderSummaryId": 52,
    "shipmentId": 52,
    "shipmentNumber": 52,
    "status": 52,
}
ORDER_SHIPMENT_ITEM_COLLECTION: Shape = {
    "count": 52,
    "currentPageToken": 52,
    "currentPageUrl": 52,
    "items": 52,
    "nextPageToken": 52,
    "nextPageUrl": 52,
    "previousPageToken": 52,
    "previousPageUrl": 52,
    "sortOrder": 52,
}
ORDER_SHIPMENT_ITEM: Shape = {
    "fields": 52,
    "orderItemSummaryId": 52,
    "product": 52,
    "productId": 52,
    "quantity": 52,
    "shipmentId": 52,
    "shipmentItemId": 52,
}
ORDER_SUMMARY_ADJUSTMENT_AGGREGATES_ASYNC: Shape = {"statusURL": 55}
ORDER_SUMMARY_ADJUSTMENT_AGGREGATES: Shape = {
    "available": 55,
    "status": 55,
    "totalDeliveryPromotionDistAmount": 55,
    "totalDeliveryPromotionLineAmount": 55,
    "totalDeliveryPromotionTotalAmount": 55,
    "totalProductPromotionDistAmount": 55,
    "totalProductPromotionLineAmount": 55,
    "totalProductPromotionTotalAmount": 55,
}
ORDER_ITEM_SUMMARY_ADJUSTMENT_AGGREGATES: Shape = {
    "available": 55,
    "status": 55,
    "totalLinePromotionAmount": 55,
    "totalPromotionDistAmount": 55,
}
ORDER_SUMMARY_ADJUSTMENT: Shape = {
    "amount": 53,
    "basisReferenceDisplayName": 53,
    "currencyIsoCode": 53,
    "displayName": 53,
    "targetType": 56,
    "type": 53,
}
ORDER_TO_CART_RESULT: Shape = {
    "cartId": 57,
    "totalFailedProductCount": 57,
    "totalSucceededProductCount": 57,
    "unaddedProducts": 57,
}
ORDER_TO_CART_FAILED_PRODUCT: Shape = {
    "errorCode": 57,
    "errorMessage": 57,
    "media": 62,
    "productId": 57,
    "productName": 57,
    "productSKU": 57,
}
ORDER_SUMMARY_LOOKUP_OUTPUT: Shape = {
    "adjustmentAggregates": 58,
    "adjustments": 63,
    "currencyIsoCode": 58,
    "deliveryGroups": 58,
    "fields": 58,
    "id": 58,
    "orderNumber": 58,
    "owner": 63,
    "payments": 63,
    "status": 58,
}
ORDER_DELIVERY_GROUP_SUMMARY_LOOKUP_OUTPUT: Shape = {
    "currencyIsoCode": 58,
    "deliveryMethod": 58,
    "fields": 58,
    "id": 58,
    "lineItems": 58,
}
ORDER_ITEM_SUMMARY_LOOKUP_OUTPUT: Shape = {
    "adjustmentAggregates": 58,
    "adjustments": 58,
    "associatedLineItems": 62,
    "currencyIsoCode": 58,
    "fields": 58,
    "id": 58,
    "itemClass": 62,
    "processExceptions": 63,
    "product": 58,
    "productSellingModel": 63,
}
ORDER_SUMMARY_PRODUCT_LOOKUP: Shape = {
    "canViewProduct": 58,
    "errorCode": 58,
    "errorMessage": 58,
    "fields": 58,
    "id": 58,
    "media": 58,
    "variationAttributes": 58,
}
